import subprocess
import sys

import pytest

import pipelines


def test_with_and_without_the_ending():
    assert pipelines.find("default") == pipelines.find("default.xml")
    assert pipelines.find("default").is_file()
    assert "default" in pipelines.names()


def test_the_name_that_scanners_use():
    expected = pipelines.find("measurement_dependencies")
    assert pipelines.find("default_measurement_dependencies") == expected
    assert pipelines.find("default_measurement_dependencies.xml") == expected
    assert pipelines.find("Generic_Cartesian_Grappa.xml") == pipelines.find("generic_cartesian_grappa")


def test_a_gadgetrons_folder_comes_after_ours(tmp_path, monkeypatch):
    folder = tmp_path / "share" / "gadgetron" / "config"
    folder.mkdir(parents=True)
    for name in ("theirs.xml", "default.xml"):
        (folder / name).write_text("<configuration/>")
    monkeypatch.setenv("GADGETRON_HOME", str(tmp_path))
    assert pipelines.find("theirs") == folder / "theirs.xml"
    assert pipelines.find("default").parent != folder
    assert pipelines.folders().index(folder) == 1


@pytest.mark.parametrize(
    "name",
    [
        "../default.xml",
        "..",
        ".",
        "",
        "/etc/passwd",
        "folder/default",
        "..\\default",
        "C:default",
        "default\0",
        ".hidden",
    ],
)
def test_names_stay_inside(name):
    with pytest.raises(pipelines.PipelineNotFound, match="there are: .*default"):
        pipelines.find(name)


def test_a_name_that_is_not_there_says_what_is():
    with pytest.raises(
        pipelines.PipelineNotFound, match=r"no pipeline 'cartesian_rrs'; did you mean 'cartesian_rss'\? there are: "
    ):
        pipelines.find("cartesian_rrs")


def test_the_search_imports_nothing_heavy():
    code = "import sys, pipelines; pipelines.names(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "torch", "ismrmrd", "h5py", "gadgets"} & set(modules)
