import subprocess
import sys

import pytest

import gadgets
from pipelines.host.config import ConfigError, Execute, Gadget
from pipelines.host.loader import check_client_property, gadget_names, load, snake


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Writes modules that can be imported during the test: ``gadgets.NAME`` beside ours, or ``NAME``."""
    before = set(sys.modules)
    (tmp_path / "gadgets").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    gadgets.__path__.append(str(tmp_path / "gadgets"))

    def write(name, text):
        (tmp_path / f"{name.replace('.', '/')}.py").write_text(text)

    yield write
    gadgets.__path__.remove(str(tmp_path / "gadgets"))
    for name in set(sys.modules) - before:
        del sys.modules[name]
        package, _, module = name.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).pop(module, None)


def execute(module, target="run", **properties):
    return Execute(label=target, module=module, target=target, properties=properties, file="x.xml", line=7)


def stock(classname, **properties):
    return Gadget(label="it", name="it", dll="d", classname=classname, properties=properties, file="x.xml", line=7)


DECLARES = """
class Declares:
    properties = {"size": None}
    def __init__(self): self.__module__ = __name__
    def bind(self, properties):
        for name, value in properties.items():
            if name != "size":
                raise ValueError(f"unknown property {name!r}; known: size")
            int(value)
        return dict(properties)
    def __call__(self, connection): connection.append(self)
"""


@pytest.mark.parametrize(
    ("classname", "name"),
    [
        ("NoiseAdjustGadget", "noise_adjust"),
        ("RemoveROOversamplingGadget", "remove_ro_oversampling"),
        ("AsymmetricEchoAdjustROGadget", "asymmetric_echo_adjust_ro"),
        ("FloatToUShortGadget", "float_to_u_short"),
        ("AcquisitionAccumulateTriggerGadget", "acquisition_accumulate_trigger"),
        ("BucketToBufferGadget", "bucket_to_buffer"),
        ("Gadgetron::SimpleReconGadget", "simple_recon"),
        ("ImageArraySplit", "image_array_split"),
        ("GenericReconCartesianGrappaGadget", "generic_recon_cartesian_grappa"),
        ("PCACoilGadget", "pca_coil"),
        ("Grappa2DGadget", "grappa2_d"),
        ("Gadget", "gadget"),
    ],
)
def test_the_naming_rule(classname, name):
    assert snake(classname) == name


def test_a_function(modules):
    modules("gadgets.one_more", "def one_more(connection): connection.append(1)")
    loaded = load(execute("gadgets.one_more", "one_more", anything="goes"), trusted=False)
    seen = []
    loaded.target(seen)
    assert seen == [1]
    assert loaded.label == "one_more"
    assert "one_more" in gadget_names()


def test_a_class_is_made_when_it_runs(modules):
    modules("of_a_site", "class Run:\n    def handle(self, connection): connection.append(self)")
    loaded = load(execute("of_a_site", "Run"))
    seen = []
    loaded.target(seen)
    loaded.target(seen)
    assert seen[0] is not seen[1]


def test_a_stock_gadget_by_its_class_name(modules):
    modules("gadgets.one_more", DECLARES + "one_more = Declares()")
    node = stock("OneMoreGadget", size="3")
    loaded = load(node, trusted=False)
    assert loaded.target is sys.modules["gadgets.one_more"].one_more
    assert loaded.configuration == node.configuration


def test_properties_are_checked_when_loaded(modules):
    modules("gadgets.one_more", DECLARES + "one_more = Declares()")
    assert load(execute("gadgets.one_more", "one_more", size="3"))
    with pytest.raises(ConfigError, match=r"^x.xml, line 7, gadget one_more: unknown property 'sise'; known: size$"):
        load(execute("gadgets.one_more", "one_more", sise="3"))
    with pytest.raises(ConfigError, match=r"^x.xml, line 7, gadget it: .*'three'"):
        load(stock("OneMoreGadget", size="three"))


def test_a_class_name_without_a_gadget():
    with pytest.raises(ConfigError, match=r"gadget it: no gadget for the class 'MagicGadget'; there are: \w+, "):
        load(stock("MagicGadget"))


@pytest.mark.parametrize(
    "module", ["os", "subprocess", "gadgets", "gadgets.mri", "gadgets.mri.fft", "gadgets.stream.codec"]
)
def test_what_a_client_may_not_name(module):
    with pytest.raises(
        ConfigError, match=f"x.xml, line 7, gadget run: '{module}' is not allowed from a client; allowed: "
    ):
        load(execute(module), trusted=False)


def test_a_module_beside_the_gadgets_is_none(modules):
    modules("gadgets.one_less", "def helper(connection): pass")
    assert "one_less" not in gadget_names()
    with pytest.raises(ConfigError, match="'gadgets.one_less' is not allowed from a client"):
        load(execute("gadgets.one_less", "helper"), trusted=False)


def test_what_a_client_may_not_name_is_not_imported(modules, tmp_path):
    modules("of_a_site", f"open({str(tmp_path / 'ran')!r}, 'w')")
    for allow in ((), ("of_a",), ("of_a_site.below",)):
        with pytest.raises(ConfigError, match="'of_a_site' is not allowed"):
            load(execute("of_a_site"), allow=allow, trusted=False)
    assert "of_a_site" not in sys.modules
    assert not (tmp_path / "ran").exists()


def test_what_is_allowed_by_name(modules, tmp_path):
    (tmp_path / "of_a_site").mkdir()
    modules("of_a_site.__init__", "")
    modules("of_a_site.recon", "def run(connection): pass")
    for allow in (("of_a_site",), ("of_a_site.recon",)):
        assert load(execute("of_a_site.recon"), allow=allow, trusted=False)


@pytest.mark.parametrize("target", ["system", "Popen", "__loader__"])
def test_a_client_cannot_reach_through_a_gadgets_imports(modules, target):
    modules("gadgets.one_more", "from os import system\nfrom subprocess import Popen\nclass one_more: pass")
    with pytest.raises(ConfigError, match=f"'gadgets.one_more:{target}' is not allowed from a client"):
        load(execute("gadgets.one_more", target), trusted=False)


def test_a_client_cannot_have_a_method_imported_from_anywhere(modules):
    modules("gadgets.one_more", "def one_more(connection): pass")
    node = execute("gadgets.one_more", "one_more", method="of_a_site.Magic")
    with pytest.raises(
        ConfigError, match="gadget one_more: method 'of_a_site.Magic' is not allowed from a client; allowed: "
    ):
        load(node, trusted=False)
    assert load(node, allow=("of_a_site",), trusted=False)
    assert load(node)
    for method in ("rss", "gadgets.mri.methods.rss", "gadgets.mri.methods.cg_sense.CgSense"):
        check_client_property("method", method)
    with pytest.raises(ConfigError, match="^method 'os.system' is not"):
        check_client_property("method", " os.system ")
    with pytest.raises(ConfigError, match="^fallback 'os.system' is not"):
        check_client_property("fallback", "os.system")
    with pytest.raises(ConfigError, match="^preview 'os.system' is not"):
        check_client_property("preview", "os.system")


@pytest.mark.parametrize("model", ["there.yaml", "/etc/there", "../there", "a b"])
def test_a_client_cannot_have_a_model_read_from_anywhere(model):
    check_client_property("model", "modl_brain-2")
    with pytest.raises(ConfigError, match="^model .* is not allowed from a client; allowed: models by their names"):
        check_client_property("model", model)


def test_a_client_may_name_a_gadget_that_writes_files_only_where_a_property_says_so():
    assert load(execute("gadgets.reconstruct", "reconstruct"), trusted=False)
    with pytest.raises(ConfigError, match="reconstruct writes files \\(property qa\\), which is not allowed"):
        load(execute("gadgets.reconstruct", "reconstruct", qa="there"), trusted=False)


@pytest.mark.parametrize("name", ["pass_through", "recon_acquisitions", "recon_buffers"])
def test_the_gadgetron_packages_examples(name):
    assert callable(load(execute("gadgetron.examples", name), trusted=False).target)


def test_a_missing_module():
    with pytest.raises(ConfigError, match="gadget run: no module named 'not_there.at_all'$"):
        load(execute("not_there.at_all"))
    with pytest.raises(ConfigError, match="no module named 'json.not_there'$"):
        load(execute("json.not_there"))
    with pytest.raises(ConfigError, match="'os path' is not the dotted name of a module"):
        load(execute("os path"))


def test_a_missing_gadget_says_which_there_are(modules):
    modules("gadgets.one_more", "def one_more(connection): pass")
    with pytest.raises(ConfigError, match=r"no module named 'gadgets.one_mor'; did you mean 'one_more'\? there are: "):
        load(execute("gadgets.one_mor"))


def test_a_missing_target(modules):
    modules("of_a_site", "from os import system\ndef reconstruct(connection): pass\ndef _hidden(): pass\nsize = 3")
    with pytest.raises(
        ConfigError, match=r"of_a_site has no 'recontruct'; did you mean 'reconstruct'\? there are: reconstruct$"
    ):
        load(execute("of_a_site", "recontruct"))
    with pytest.raises(ConfigError, match="int 3 cannot be called"):
        load(execute("of_a_site", "size"))


def test_a_class_without_handle(modules):
    modules("of_a_site", "class Run: pass")
    with pytest.raises(ConfigError, match="the class Run has no method 'handle'"):
        load(execute("of_a_site", "Run"))


@pytest.mark.parametrize(
    ("text", "says", "cause"),
    [
        ("1 / 0", "raised ZeroDivisionError: division by zero$", ZeroDivisionError),
        ("import not_there_either", "raised ModuleNotFoundError: No module named 'not_there_either'$", ImportError),
        ("import sys; sys.exit(3)", "raised SystemExit: 3$", SystemExit),
        ("def (", "raised SyntaxError: ", SyntaxError),
    ],
)
def test_a_module_that_fails_at_import(modules, text, says, cause):
    modules("of_a_site", text)
    with pytest.raises(ConfigError, match=f"x.xml, line 7, gadget run: importing of_a_site {says}") as error:
        load(execute("of_a_site"))
    assert isinstance(error.value.__cause__, cause)
    assert error.value.__cause__.__traceback__ is not None


def test_the_list_of_gadgets_imports_none_of_them():
    code = "import sys; from pipelines.host.loader import gadget_names; gadget_names(); print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in output if name.split(".")[0] in ("gadgets", "numpy", "torch")]
