"""Spellings that nobody has thought of, in each field: delivered, or refused before anybody rang."""

from calls import refused_or_complete, spelled
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import HOST

octets = st.sampled_from([*"aZ09-.!%*_+`'~/=@:{}()|?#&,$[]^\\<>\"", "%41", "%", "ž", "\udcff", "\udc80"])
words = st.lists(octets, min_size=1, max_size=6).map("".join)


def _without(texts: st.SearchStrategy[str], characters: str) -> st.SearchStrategy[str]:
    return texts.filter(lambda text: not set(characters) & set(text))


def _tails(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(texts, max_size=3).map(lambda found: "".join(f";{each}" for each in found))


in_via = _without(words, ",")
in_uri = _without(words, "<>")
in_user = _without(in_uri, "?")  # `@a?@10.0.0.11` names the host `a`
params = _tails(
    st.builds("{}{}{}".format, words, st.sampled_from(["", "=", "==", " = "]), st.just("") | words)
)
uris = st.builds("sip:{}@{}{}".format, in_user, st.just(HOST), _tails(in_uri))
spellings = st.fixed_dictionaries(
    {},
    optional={
        "uri": st.builds("sip:lenka@{}{}".format, st.just(HOST), _tails(in_uri)) | uris,
        "via": st.builds(
            "SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK{};rport{}".format, in_via, _without(params, ",")
        ),
        "sender": st.builds("{} <{}>;tag={}{}".format, st.just("") | words, uris, words, params),
        "to": st.builds("{} <{}>".format, st.just("") | words, uris),
        "call_id": words,
        "contact": st.builds("<sip:{}@10.0.0.11:5060{}>{}".format, in_user, _tails(in_uri), params),
        "bound": st.builds("sip:{}@10.0.0.12:5060{}".format, in_user, _tails(in_uri)),
        "answer_tag": words,
        "answer_contact": st.builds("<sip:{}@10.0.0.12:5060{}>{}".format, in_user, _tails(in_uri), params),
        "recorded": st.builds("<sip:10.0.0.9;lr{}>{}".format, _tails(_without(in_uri, "@")), params),
        "lines": st.tuples(st.builds("X-{}: {}".format, _without(words, ":"), words)),
    },
)


@settings(max_examples=100, deadline=None)
@given(spellings)
def test_delivered_with_its_dialog_or_refused_before_anybody_rang(how: dict[str, object]) -> None:
    assert refused_or_complete(spelled(**how)) in (200, 400, 404)
