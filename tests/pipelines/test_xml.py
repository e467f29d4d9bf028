import pytest

from pipelines.host import xml
from pipelines.host.xml import Element, XmlError, parse, serialise


def test_a_tree_with_lines():
    root = parse(b'<?xml version="1.0"?>\n<a x="1">\n  one<!-- gone --> two\n  <b/>tail\n  <c>&lt;&#65;</c>\n</a>')
    assert (root.tag, dict(root.attrib), root.line) == ("a", {"x": "1"}, 2)
    assert root.text.split() == ["one", "two"]
    assert [(child.tag, child.line, child.text) for child in root] == [("b", 4, ""), ("c", 5, "<A")]
    assert root.children[0].tail.strip() == "tail"


@pytest.mark.parametrize(
    "root",
    [
        Element("a"),
        Element("a", {"x": "\"'<>&\n\t\r é"}, text="<&>\r\n \t"),
        Element("a", children=(Element("b", tail="1"), Element("c", children=(Element("d"),), tail="\n<"))),
    ],
)
def test_what_is_written_is_read_back(root):
    assert parse(serialise(root)) == root


@pytest.mark.parametrize("text", ["\0", "\x1b", "\ud800", "\ufffe"])
def test_what_xml_cannot_hold_is_not_written(text):
    with pytest.raises(ValueError, match=f"U\\+{ord(text):04X} cannot be written"):
        serialise(Element("a", text=text))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "line 1, column 1: no element found"),
        (b"<a>\n <b></a>", "line 2, column 7: mismatched tag"),
        (b"<a>\xff</a>", "line 1, column 4: not well-formed"),
        (b"<a>&x;</a>", "line 1, column 4: undefined entity"),
        (b"<a/><b/>", "line 1, column 5: junk after document element"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "unusable encoding.*klingon"),
        (b'<?xml version="1.0" encoding="shift_jis"?><a/>', "unusable encoding.*multi-byte"),
        (b"<!DOCTYPE a><a/>", "<!DOCTYPE a>.*not allowed"),
        (b'\n<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "line 2.*'file:///etc/passwd'.*not allowed"),
        (b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z SYSTEM "file:///etc/passwd">]><a>&z;</a>', "<!DOCTYPE a>, with decl"),
        (b"<a>" * 33 + b"</a>" * 33, "deeper than the 32"),
        (b"<a>" + b"<b/>" * 20_000 + b"</a>", "more than the 20000 elements"),
        (b"<a>" + b" " * xml.MAX_BYTES + b"</a>", "1048583 bytes.*1048576 allowed"),
    ],
)
def test_refused(data, says):
    with pytest.raises(XmlError, match=says):
        parse(data)


def test_the_largest_that_is_accepted():
    assert parse(b"<a>" * 32 + b"</a>" * 32).tag == "a"
    assert len(parse(b"<a>" + b"<b/>" * 19_999 + b"</a>").children) == 19_999
    assert len(parse(b"<a>" + b" " * (xml.MAX_BYTES - 7) + b"</a>").text) == xml.MAX_BYTES - 7
