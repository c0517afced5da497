"""Links that work once, and what they lead to."""

from xml.etree import ElementTree

from switchboard.console.provisioning import LIFETIME_S, MAX_LINKS, Links, configuration, to_xml


def test_a_link_works_once() -> None:
    links = Links()
    link = links.make("lukas", "token", 0.0)
    assert links.look("token", 1.0) == link
    assert links.follow("token", 1.0) == link
    assert links.follow("token", 1.0) is None


def test_it_expires() -> None:
    links = Links()
    links.make("lukas", "token", 0.0)
    assert links.look("token", LIFETIME_S) is None
    assert links.follow("token", LIFETIME_S) is None
    assert links.follow("token", 1.0) is None


def test_there_are_only_so_many() -> None:
    links = Links()
    for number in range(MAX_LINKS + 1):
        links.make("lukas", str(number), 0.0)
    assert links.look("0", 1.0) is None
    assert links.look("1", 1.0)


def test_xml_holds_any_name() -> None:
    root = ElementTree.fromstring(to_xml(configuration("a&b<c", "[2001:db8::1]:5070")))
    entries = {entry.get("name"): entry.text for entry in root.iter() if entry.get("overwrite")}
    assert entries["reg_identity"] == "sip:a&b<c@[2001:db8::1]:5070"
    assert entries["reg_proxy"] == "<sip:[2001:db8::1]:5070;transport=udp>"
