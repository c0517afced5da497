import json

from survey.surveys import reading, survey

from switchboard.survey.moment import moment


def test_moment_as_json() -> None:
    before = survey(0.0, reading("registrar.0", users=2, bindings=3), reading("router.0", state="down"))
    after = survey(1.0, *before.workers)
    found = json.loads(json.dumps(moment(before, after, [{"call_id": "a"}]).to_map()))
    assert found["registered"] == {"users": 2, "bindings": 3}
    assert (found["not_up"], found["calls"]) == (["router.0"], [{"call_id": "a"}])
    worker = found["workers"][0]
    assert (worker["name"], worker["memory_bytes"], worker["cpu_percent"]) == ("registrar", 50_000_000, 0.0)
