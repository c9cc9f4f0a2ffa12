#!/usr/bin/python3
"""Runs the notebook as a reader would, and the plots on runs that are made up."""

import gzip
import json
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = pathlib.Path(os.environ.get("RM_PYTHON_DIR", ROOT / "build" / "python")).resolve()
NOTEBOOK = ROOT / "python" / "notebooks" / "quickstart.ipynb"
CELL_TIMEOUT_S = 240

# Added at the end of the notebook, so that the test sees what it drew.
QUESTIONS = """
import json
print(json.dumps({
    "directory": cluster.directory,
    "running": cluster.running,
    "attempts": [[row["name"], row["state"], row["node"]] for row in attempts],
    "bars": [len(gantt.patches), len(waits.patches)],
    "nodes": [label.get_text() for label in gantt.get_yticklabels()],
    "names": [label.get_text() for label in waits.get_yticklabels()],
    "labels": [[axes.get_xlabel(), axes.get_ylabel()] for axes in (gantt, cpu_use, waits)],
    "most_given": max(max(line.get_ydata()) for line in cpu_use.get_lines()[:1]),
    "words": words,
}))
"""


def use_directories_of_its_own(directory):
    """Nothing of the user's configuration counts, and nothing is written there."""
    for variable in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR",
                     "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        path = directory / variable.lower()
        path.mkdir()
        os.environ[variable] = str(path)
    os.environ["PYTHONPATH"] = str(PACKAGE)
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # what a kernel's debugger says on stderr
    # A kernel named python3 is this interpreter, if it is first.
    os.environ["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"


def make_changelogs(directory):
    """Some of what the pipeline reads, with a word that must come out on top."""
    for number in range(16):
        path = directory / f"package-{number}"
        path.mkdir(parents=True)
        with gzip.open(path / "changelog.gz", "wt") as file:
            file.write("librm librm fixes a bug\n" * 50)
    os.environ["WORDCOUNT_SOURCE"] = str(directory)


def execute(nbclient, nbformat):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count"), "committed without"
    notebook.cells.append(nbformat.v4.new_code_cell(QUESTIONS))
    nbclient.NotebookClient(notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", resources={
        "metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    return notebook


def outputs_of(notebook, kind):
    return [output.data[kind] for cell in notebook.cells if cell.cell_type == "code"
            for output in cell.outputs if kind in output.get("data", {})]


def check_notebook(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "every cell ran"
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error", output
            assert output.get("name") != "stderr", output.text
    said = json.loads(code[-1].outputs[0].text)
    jobs = ["extract", *(f"transform-{n}" for n in range(1, 9)), "load"]
    assert sorted(name for name, _, _ in said["attempts"]) == sorted(jobs), said
    assert {state for _, state, _ in said["attempts"]} == {"finished"}
    assert said["bars"] == [len(jobs), 2 * len(jobs)], "a bar an attempt; waited and ran"
    assert said["nodes"] == sorted({node for _, _, node in said["attempts"]})
    assert said["names"] == jobs
    assert all(x.endswith("(s)") for x, _ in said["labels"]) and said["labels"][1][1] == "cpus"
    assert 1 <= said["most_given"] <= 6
    assert said["words"][0] == ["1600", "librm"], said["words"]
    assert not said["running"] and not pathlib.Path(said["directory"]).exists()
    assert len(outputs_of(notebook, "image/png")) == 3
    tables = "".join(outputs_of(notebook, "text/html"))
    for text in ("node-3", "transform-8", "job 9: ", "librm"):
        assert text in tables, text
    printed = "".join(output.text for cell in code for output in cell.outputs
                      if output.output_type == "stream")
    assert "mem" in printed and "65536" in printed and "1024" in printed, printed


def attempt(job, name, node, launched, ended, state="finished", cpus=1.0):
    def time(seconds):
        return f"2026-01-01T00:00:{seconds:06.3f}Z"
    return {"job": job, "task": f"{job}.1.1", "name": name, "node": node, "state": state,
            "cpus": cpus, "submitted": time(0), "launched": time(launched),
            "started": time(launched + 0.5), "ended": None if ended is None else time(ended),
            "cpu_seconds": 1.0}


def check_plots(librm, plots):
    rows = [attempt(1, "a-1", "node-10", 1, 5), attempt(2, "a-2", "node-9", 1, 3, cpus=2.0),
            attempt(3, "b", "node-9", 3, 7, "failed"), attempt(4, "c", "node-9", 2, None, "running")]
    rows.append({**attempt(5, "d", "node-9", 4, None, "running"), "started": None})
    axes = plots.gantt(librm.Table(rows))
    bars = [(bar.get_x(), round(bar.get_y() + bar.get_height() / 2), bar.get_width(),
             bar.get_hatch()) for bar in axes.patches]
    # node-9 has two lanes, in one of which b follows a-2; what runs lasts until the latest end.
    assert sorted(bars, key=lambda bar: bar[1::-1]) == [
        (0.5, 0, 1.5, None), (2.5, 0, 3.5, "///"), (1.5, 1, 4.5, None), (0.5, 2, 3.5, None)], bars
    assert [label.get_text() for label in axes.get_yticklabels()] == ["node-9", "node-10"]
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["a", "c", "b", "failed"], legend

    given, busy = plots.cpu_use(librm.Table(rows[:2])).get_lines()
    assert list(zip(given.get_xdata(), given.get_ydata())) == [(0, 0), (0.5, 3), (2, 1), (4, 0)]
    assert list(busy.get_ydata()) == [0, round(1 / 3.5 + 1 / 1.5, 9), round(1 / 3.5, 9), 0]

    bars = plots.waits(librm.Table(rows[:3])).patches
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [
        (0, 1), (1, 4), (0, 1), (1, 2), (0, 3), (3, 4)]
    for draw in (plots.gantt, plots.cpu_use, plots.waits):
        axes = draw(librm.Table(rows[4:]))
        assert not axes.patches and axes.texts[0].get_text() == "nothing has started yet"
        same = draw(librm.Table(rows[:1]), axes=axes)
        assert same is axes, "draws where it is told to"


def main():
    if not list((PACKAGE / "librm").glob("_native.*.so")):
        print(f"skipped: no native module in {PACKAGE} (pybind11-dev, python3-dev)")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        use_directories_of_its_own(directory)
        make_changelogs(directory / "doc")
        try:
            import ipykernel  # noqa: F401
            import matplotlib
            import nbclient
            import nbformat
        except ImportError as error:
            print(f"skipped: {error} (python3-nbclient, python3-ipykernel, python3-matplotlib)")
            sys.exit(1 if os.environ.get("CI") == "true" else 77)
        check_notebook(execute(nbclient, nbformat))
        matplotlib.use("Agg")
        sys.path.insert(0, str(PACKAGE))
        import librm
        from librm import plots
        check_plots(librm, plots)
    print("2 passed, 0 failed")


if __name__ == "__main__":
    main()
