"""How people see the URL of a server that others run."""


def shown_of(text: str) -> str:
    """For people, whatever the text is: without the password, and the options, which may have one."""
    scheme, separator, rest = text.partition("?")[0].partition("://")
    access, at, hosts = rest.rpartition("@")
    user, colon, _ = access.partition(":")
    return f"{scheme}{separator}{user}{colon and ':…'}{at}{hosts}"
