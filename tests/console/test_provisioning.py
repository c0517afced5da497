"""Links that work once, and what they lead to."""

from xml.etree import ElementTree

from switchboard.console.provisioning import LIFETIME_S, MAX_LINKS, Credentials, Links, configuration, to_xml

CREDENTIALS = Credentials("office", "SHA-256", "c0ffee")


def test_a_link_works_once() -> None:
    links = Links()
    link = links.make("lukas", CREDENTIALS, "token", 0.0)
    assert links.look("token", 1.0) == link
    assert links.follow("token", 1.0) == link
    assert links.follow("token", 1.0) is None


def test_it_expires() -> None:
    links = Links()
    links.make("lukas", CREDENTIALS, "token", 0.0)
    assert links.look("token", LIFETIME_S) is None
    assert links.follow("token", LIFETIME_S) is None
    assert links.follow("token", 1.0) is None


def test_there_are_only_so_many() -> None:
    links = Links()
    for number in range(MAX_LINKS + 1):
        links.make("lukas", None, str(number), 0.0)
    assert links.look("0", 1.0) is None
    assert links.look("1", 1.0)


def test_xml_holds_any_name() -> None:
    sections = read(to_xml(configuration("a&b<c", "2001:db8::1", 5070, None)))
    assert sections["proxy_0"]["reg_identity"] == "sip:a&b<c@[2001:db8::1]:5070"
    assert sections["proxy_0"]["reg_proxy"] == "<sip:[2001:db8::1]:5070;transport=udp>"
    assert "auth_info_0" not in sections


def test_xml_holds_what_proves_the_password() -> None:
    sections = read(to_xml(configuration("lukas", "pbx.example.com", 5070, CREDENTIALS)))
    assert sections["auth_info_0"] == {
        "username": "lukas",
        "realm": "office",
        "ha1": "c0ffee",
        "algorithm": "SHA-256",
        "domain": "pbx.example.com",
    }


def test_the_secret_goes_with_the_link() -> None:
    links = Links()
    links.make("lukas", CREDENTIALS, "token", 0.0)
    links.look("another", LIFETIME_S)
    assert links.look("token", 0.0) is None


def test_a_new_password_makes_the_links_of_the_old_one_void() -> None:
    links = Links()
    links.make("lukas", CREDENTIALS, "old", 0.0)
    lenka = links.make("lenka", CREDENTIALS, "another", 0.0)
    new = links.make("lukas", CREDENTIALS, "new", 1.0)
    assert [links.look(token, 2.0) for token in ("old", "another", "new")] == [None, lenka, new]


def test_without_passwords_a_user_sets_up_several_phones() -> None:
    links = Links()
    made = [links.make("lukas", None, token, 0.0) for token in ("one", "two")]
    assert [links.look(link.token, 1.0) for link in made] == made


def test_it_is_not_shown_by_accident() -> None:
    assert "c0ffee" not in repr(Links().make("lukas", CREDENTIALS, "token", 0.0))


def read(xml: str) -> dict[str, dict[str, str | None]]:
    """The entries of each section."""
    return {
        section.get("name", ""): {entry.get("name", ""): entry.text for entry in section}
        for section in ElementTree.fromstring(xml)
    }
