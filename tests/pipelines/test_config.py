import pytest

from pipelines.host import configuration
from pipelines.host.config import ConfigError, Connect, Execute, Format, Gadget, parse, read

# The shape of Gadgetron's own default pipeline.
STOCK_2 = b"""<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <version>2</version>
  <readers>
    <reader><dll>gadgetron_core_readers</dll><classname>AcquisitionReader</classname></reader>
    <reader><dll>gadgetron_core_readers</dll><classname>WaveformReader</classname></reader>
  </readers>
  <writers>
    <writer><dll>gadgetron_core_writers</dll><classname>ImageWriter</classname></writer>
  </writers>
  <stream>
    <gadget>
      <dll>gadgetron_mricore</dll>
      <classname>RemoveROOversamplingGadget</classname>
    </gadget>
    <gadget>
      <name>AccTrig</name>
      <dll>gadgetron_mricore</dll>
      <classname>AcquisitionAccumulateTriggerGadget</classname>
      <property name="trigger_dimension" value="repetition"/>
      <property><name>sorting_dimension</name><value> slice </value></property>
    </gadget>
  </stream>
</configuration>
"""

# The shape of the generic reconstructions, which are in the older dialect.
STOCK_1 = b"""<?xml version="1.0" encoding="utf-8"?>
<gadgetronStreamConfiguration xsi:schemaLocation="http://gadgetron.sf.net/gadgetron gadgetron.xsd"
    xmlns="http://gadgetron.sf.net/gadgetron" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <reader><slot>1008</slot><dll>gadgetron_mricore</dll><classname>GadgetIsmrmrdAcquisitionMessageReader</classname></reader>
  <writer><slot>1022</slot><dll>gadgetron_mricore</dll><classname>MRIImageWriter</classname></writer>
  <gadget>
    <name>NoiseAdjust</name>
    <dll>gadgetron_mricore</dll>
    <classname>NoiseAdjustGadget</classname>
    <property><name>noise_dwell_time_us</name><value>0</value></property>
  </gadget>
  <gadget>
    <name>Plot</name>
    <dll>gadgetron_python</dll>
    <classname>PythonGadget</classname>
    <property><name>python_module</name><value>plots</value></property>
    <property><name>python_class</name><value>Plot</value></property>
    <property><name>title</name><value>a &lt; b</value></property>
  </gadget>
</gadgetronStreamConfiguration>
"""

EXTERNAL = b"""<configuration>
  <version>2</version>
  <stream>
    <external>
      <execute name="gadgets.noise_adjust" target="noise_adjust" type="python"/>
      <configuration><property name="a" value="1"/><own>text</own></configuration>
      <readers><reader><dll>gadgetron_core_readers</dll><classname>AcquisitionReader</classname></reader></readers>
    </external>
    <external><execute name="other" target="noise_adjust" type="python"/></external>
    <external><connect port="18000"/></external>
  </stream>
</configuration>
"""


def stream(inner: str) -> bytes:
    return f"<configuration>\n<version>2</version>\n<stream>\n{inner}\n</stream>\n</configuration>".encode()


def test_the_present_dialect():
    pipeline = parse(STOCK_2, "default.xml")
    assert pipeline.readers == (
        Format("gadgetron_core_readers", "AcquisitionReader"),
        Format("gadgetron_core_readers", "WaveformReader"),
    )
    assert pipeline.writers == (Format("gadgetron_core_writers", "ImageWriter"),)
    crop, trigger = pipeline.nodes
    assert isinstance(crop, Gadget) and crop.name == "RemoveROOversamplingGadget"
    assert (crop.label, crop.properties) == ("remove_ro_oversampling", {})
    assert trigger.properties == {"trigger_dimension": "repetition", "sorting_dimension": "slice"}
    assert trigger.place == "default.xml, line 16, gadget AccTrig"


def test_the_older_dialect():
    pipeline = parse(STOCK_1, "generic.xml")
    assert pipeline.version == 1
    assert pipeline.readers == (Format("gadgetron_mricore", "GadgetIsmrmrdAcquisitionMessageReader", 1008),)
    noise, plot = pipeline.nodes
    assert isinstance(noise, Gadget) and noise.label == "NoiseAdjust"
    assert noise.configuration == configuration.with_properties(b"<configuration/>", {"noise_dwell_time_us": "0"})
    assert isinstance(plot, Execute)
    assert (plot.module, plot.target, plot.label) == ("plots", "Plot", "Plot")
    assert plot.properties == {"python_module": "plots", "python_class": "Plot", "title": "a < b"}
    assert b'<property name="title" value="a &lt; b"/>' in plot.configuration


def test_external_gadgets():
    one, other, listening = parse(EXTERNAL, "x.xml").nodes
    assert isinstance(one, Execute) and isinstance(other, Execute) and isinstance(listening, Connect)
    assert one.configuration == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<configuration><property name="a" value="1"/><own>text</own></configuration>'
    )
    assert one.readers == (Format("gadgetron_core_readers", "AcquisitionReader"),)
    assert other.configuration == b'<?xml version="1.0" encoding="UTF-8"?>\n'
    assert [one.label, other.label] == ["noise_adjust", "noise_adjust#2"]
    assert (listening.address, listening.port) == ("localhost", 18000)


@pytest.mark.parametrize("text", [STOCK_1, STOCK_2, EXTERNAL, stream("")])
def test_written_in_the_present_dialect_it_is_the_same(text):
    pipeline = parse(text, "x.xml")
    again = parse(pipeline.xml(), "x.xml")
    assert (again.readers, again.writers, again.nodes) == (pipeline.readers, pipeline.writers, pipeline.nodes)
    assert again.version == 2


def test_a_file(tmp_path):
    (tmp_path / "x.xml").write_bytes(STOCK_2)
    assert read(tmp_path / "x.xml") == parse(STOCK_2, "x.xml")


def test_override_in_a_gadget_and_in_a_configuration():
    changed = parse(STOCK_2, "x.xml").with_property("AccTrig", "trigger_dimension", "slice")
    assert changed.nodes[1].properties == {"trigger_dimension": "slice", "sorting_dimension": "slice"}
    external = parse(EXTERNAL, "x.xml")
    changed = external.with_property("noise_adjust", "a", "<2>").with_property("noise_adjust#2", "b", "")
    assert changed.nodes[0].properties == {"a": "<2>"}
    assert changed.nodes[0].configuration.endswith(
        b'<configuration><property name="a" value="&lt;2&gt;"/><own>text</own></configuration>'
    )
    assert changed.nodes[1].configuration.endswith(b'<configuration><property name="b" value=""/></configuration>')
    assert external.nodes[0].properties == {"a": "1"}


def test_override_of_a_property_that_is_written_as_children():
    text = stream(
        '<external><execute name="m" target="t" type="python"/><configuration>'
        "<property><name>a</name><value>1</value></property></configuration></external>"
    )
    assert parse(text, "x.xml").nodes[0].properties == {"a": "1"}
    changed = parse(text, "x.xml").with_property("t", "a", "2").nodes[0]
    assert changed.configuration.endswith(b'<configuration><property name="a" value="2"/></configuration>')


def test_override_of_what_is_not_there():
    with pytest.raises(ConfigError, match=r"x.xml: no gadget 'crop'; there are: remove_ro_oversampling, AccTrig"):
        parse(STOCK_2, "x.xml").with_property("crop", "a", "1")


def test_override_that_xml_cannot_hold():
    with pytest.raises(ConfigError, match="x.xml, line 16, gadget AccTrig: the character U.0000"):
        parse(STOCK_2, "x.xml").with_property("AccTrig", "trigger_dimension", "\0")


def test_a_refusal_is_one_line_whatever_it_quotes():
    text = stream('<external><execute name="m" target="a&#10;b" type="python"/></external>')
    with pytest.raises(ConfigError, match="^x.xml, line 4, gadget a b: the character"):
        parse(text, "x.xml").with_property("a\nb", "size", "\0")


def gadget(name: str, **properties: str) -> str:
    inner = "".join(f'<property name="{key}" value="{value}"/>' for key, value in properties.items())
    return f"<gadget><name>{name}</name><dll>d</dll><classname>{name}Gadget</classname>{inner}</gadget>"


def test_references_between_properties():
    text = stream(
        gadget("One", a="b@Two", mail="me@example.org", path="@home")
        + gadget("Two", b="c@Three")
        + gadget("Three", c="5")
        + '<external><execute name="m" target="t" type="python"/>'
        '<configuration><property name="a" value="c@Three"/></configuration></external>'
    )
    one, two, _, external = parse(text, "x.xml").nodes
    assert one.properties == {"a": "5", "mail": "me@example.org", "path": "@home"}
    assert two.properties == {"b": "5"}
    assert external.properties == {"a": "5"}
    assert b'value="5"' in external.configuration


def test_references_that_lead_nowhere():
    with pytest.raises(ConfigError, match=r"gadget One: 'x@Two': Two does not set 'x'; it sets: b, c$"):
        parse(stream(gadget("One", a="x@Two") + gadget("Two", b="1", c="2")), "x.xml")
    with pytest.raises(ConfigError, match="gadget One: .*in a circle: a@One -> b@Two -> a@One"):
        parse(stream(gadget("One", a="b@Two") + gadget("Two", b="a@One")), "x.xml")
    with pytest.raises(ConfigError, match="gadget One: .*in a circle: a@One -> b@Two -> b@Two"):
        parse(stream(gadget("One", a="b@Two") + gadget("Two", b="b@Two")), "x.xml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"<a>\n<b>", "x.xml, line 2: column 4: no element found"),
        (b"<stream/>", "line 1: unknown root element <stream>; known: <configuration>, .*<gadgetronStreamConf"),
        (b"<configuration>\n<stream/></configuration>", "line 1: <configuration> needs a <version>"),
        (b"<configuration><version> </version><stream/></configuration>", "<version> is empty"),
        (b"<configuration>\n<version>3</version><stream/></configuration>", "line 2: unknown version '3'; known: 2"),
        (b"<configuration><version>2</version></configuration>", "<configuration> needs a <stream>"),
        (b"<configuration><version>2</version><stream/><stream/></configuration>", "a second <stream>"),
        (b"<configuration><version>2</version><steam/></configuration>", "unknown element <steam>.*<stream>"),
        (
            b"<gadgetronStreamConfiguration><stream/></gadgetronStreamConfiguration>",
            "unknown element <stream>.*<gadget>",
        ),
        (stream("<gadgets/>"), "x.xml, line 4: unknown element <gadgets> in <stream>; known: <gadget>, <external>"),
        (stream("<parallel/>"), "line 4: <parallel> is not available: "),
        (stream("<parallelprocess/>"), "<parallelprocess> is not available: "),
        (stream("<distributed/>"), "<distributed> is not available: "),
        (stream("<puredistributed/>"), "<puredistributed> is not available: "),
        (stream("<gadget><classname>A</classname></gadget>"), "line 4: <gadget> needs a <dll>"),
        (stream("<gadget><dll>a</dll></gadget>"), "<gadget> needs a <classname>"),
        (stream("<gadget><dll>a</dll><classname/></gadget>"), "<classname> is empty"),
        (stream("<gadget><dll>a</dll><classname>A</classname><proprety/></gadget>"), "unknown element <proprety>"),
        (stream("<external/>"), "<external> needs either <execute> or <connect>"),
        (
            stream('<external><execute name="a" target="b" type="python"/><connect port="1"/></external>'),
            "<external> needs either <execute> or <connect>",
        ),
        (stream('<external><execute target="b" type="python"/></external>'), "<execute> needs the attribute 'name'"),
        (stream('<external><execute name="a" type="python"/></external>'), "<execute> needs the attribute 'target'"),
        (stream('<external><execute name="a" target="b"/></external>'), "<execute> needs the attribute 'type'"),
        (stream('<external><execute name="a" target="b" type="matlab"/></external>'), "'matlab' .*known: python"),
        (stream('<external><execute name="a" target="b" type="julia"/></external>'), "'julia' .*known: python"),
        (
            stream('<external><execute module="a" target="b" type="python"/></external>'),
            "unknown attribute 'module' of <execute>; known: name, target, type",
        ),
        (stream("<external><connect/></external>"), "<connect> needs the attribute 'port'"),
        (stream('<external><connect port="0"/></external>'), "port 0"),
        (stream('<external><connect port="65536"/></external>'), "port '65536' is not a number from 0 to 65535"),
        (stream('<external><connect port="http"/></external>'), "port 'http'"),
        (
            stream(gadget("A").replace("</gadget>", '<property name="a"/></gadget>')),
            "gadget A: property 'a' has no value",
        ),
        (
            stream(gadget("A").replace("</gadget>", '<property value="a"/></gadget>')),
            "<property> needs the attribute 'na",
        ),
        (
            stream(gadget("A", a="1").replace("</gadget>", '<property name="a" value="2"/></gadget>')),
            "x.xml, line 4, gadget A: property 'a' is given twice",
        ),
        (
            stream(gadget("A").replace("</gadget>", '<property name="a"><value>2</value></property></gadget>')),
            "gadget A: a property is written with attributes or with children, not with both",
        ),
        (
            stream("<gadget><name>P</name><dll>gadgetron_python</dll><classname>PythonGadget</classname></gadget>"),
            "gadget P: a PythonGadget needs the property 'python_module'",
        ),
        (
            STOCK_2.replace(b"WaveformReader", b"WaveReader"),
            "line 6: unknown reader 'WaveReader'; known: AcquisitionReader, ",
        ),
        (STOCK_1.replace(b"MRIImageWriter", b"MRIImageWriterCPLX"), "unknown writer 'MRIImageWriterCPLX'; known: "),
        (
            STOCK_1.replace(b"1008", b"1010"),
            "AcquisitionMessageReader reads messages of id 1008, not 1010",
        ),
        (STOCK_1.replace(b"1008", b"-1"), "slot '-1' is not a number"),
    ],
)
def test_refused(text, says):
    with pytest.raises(ConfigError, match=says) as error:
        parse(text, "x.xml")
    assert str(error.value).startswith("x.xml")
    assert "\n" not in str(error.value)
