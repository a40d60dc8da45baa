"""Every public name stands on a page of the reference and has a docstring that says all of it."""

import ast
import importlib
import inspect
import itertools
import re
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Packages that have a page of the reference, by its name; `execution` is the engine of the others.
PAGES = {
    "jaxunits": "jaxunits",
    **{f"jaxunits.{name}": name for name in ("ablation", "attributes", "topology", "synthesis")},
    **{f"jaxunits.{name}": name for name in ("statistics", "networks", "tracing", "data")},
    "jaxunits.data.concepts": "concepts",
    **{f"jaxunits.{name}": name for name in ("results", "analysis")},
}
# The paper that each quantity comes from, as docs/bibliography.md cites it.
SOURCES = {
    "Zhou et al. 2018": (
        *("ablation.single_units", "ablation.sweep", "ablation.greedy", "ablation.haar"),
        *("attributes.collect", "attributes.class_correlation", "attributes.class_selectivity"),
        *("attributes.dissect", "attributes.l1_norm", "results.detectors_by_concept"),
        *("networks.ablate", "statistics.predict_damaged_class", "statistics.rank_correlation"),
    ),
    "Morcos et al. 2018": ("attributes.class_selectivity", "ablation.cumulative"),
    "Mezzadri 2007": ("ablation.haar",),
    "Ghorbani and Zou 2020": ("ablation.shapley",),
    "Bau et al. 2017": ("attributes.dissect",),
    "Bau et al. 2020": ("attributes.dissect",),
    "Zhao and Zhang 2021": (
        *("ablation.cumulative", "ablation.insertion", "statistics.phase_transition"),
        *("statistics.unit_roles", "statistics.role_shares", "topology.birth_points"),
        *("topology.layer_birth_points", "topology.persistence", "topology.betti_curves"),
        *("topology.selective_rate", "topology.feature_entropy", "topology.effectiveness"),
        *("topology.importance_order", "topology.importance_orders", "topology.stability_ratio"),
        *("topology.times_in_top", "topology.most_often_in_top", "topology.random_subsets"),
    ),
    "arXiv 1911.05586": (
        *("synthesis.maximize", "synthesis.Method", "results.representative_substitution"),
        *("networks.convnet", "networks.mlp"),
    ),
    "Hu et al. 2016": ("attributes.collect",),
    "Molchanov et al. 2017": ("attributes.collect",),
    "Tango 1998": ("statistics.paired_interval",),
    "Benjamini and Hochberg 1995": ("statistics.uncertainty",),
    "Killick et al. 2012": ("statistics.unit_roles",),
}
CITED = re.compile(
    r"(?!November)(?:van de )?[A-Z][a-z]+"
    r"(?: et al\.| and [A-Z][a-z]+|, [A-Z][a-z]+ and [A-Z][a-z]+)? (?:19|20)\d\d\b"
)
# An array whose annotation does not name its axes.
UNNAMED = re.compile(r"\b(?:ArrayLike|np\.ndarray|Array)\b(?!, ['\"])")
# How a docstring names axes or dimensions.
AXES = re.compile(r"`\[[\w *,….]+\]`|[Bb]y (`\w+`|unit|layer)|dimensions?|×|hat `\w+` returns")


def exported(package):
    """The names that a package's __init__ re-exports, which is its public contract."""
    module = importlib.import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module != "typing":
            for alias in node.names:
                value = getattr(module, alias.name, None) if alias.asname else None
                if value is not None and not isinstance(value, types.ModuleType):
                    yield alias.name


NAMES = {f"{package}.{name}" for package in PAGES for name in exported(package)}
NAMES.remove("jaxunits.__version__")


def value_of(name):
    package, _, last = name.rpartition(".")
    return getattr(importlib.import_module(package), last)


FUNCTIONS = sorted(name for name in NAMES if inspect.isfunction(value_of(name)))
CLASSES = sorted(name for name in NAMES if inspect.isclass(value_of(name)))
# What other packages are made of; users call few of it, which are public in `networks` too.
INSIDE = "jaxunits.tracing."


def section(docs, title):
    """A section of a docstring, without its title."""
    found = re.search(rf"^{title}:\n((?: +.*\n?|\n)+)", docs, re.MULTILINE)
    return found[1] if found else ""


def argument(docs, name):
    """What a docstring says of an argument."""
    found = re.search(rf"^ +\*{{0,2}}{name}: ((?:.*\n?)(?: {{4,}}.*\n?)*)", docs, re.MULTILINE)
    return found[1] if found else ""


def test_every_public_name_stands_on_its_page_once():
    for package, page in PAGES.items():
        text = (ROOT / "docs" / "reference" / f"{page}.md").read_text()
        shown = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
        of_package = {name for name in NAMES if name.rpartition(".")[0] == package}
        assert sorted(shown) == sorted(of_package)


def test_a_summary_is_one_sentence_on_one_line():
    summaries = {name: inspect.getdoc(value_of(name)) or "" for name in FUNCTIONS + CLASSES}
    assert not [name for name, docs in summaries.items() if not re.match(r"\S.*[.?](\n|$)", docs)]


def documented():
    """The functions that users call, each with its name and docstring."""
    for name in FUNCTIONS:
        if not name.startswith(INSIDE):
            function = value_of(name)
            yield name, function, inspect.getdoc(function) or ""


@pytest.mark.parametrize("title", ["Args", "Returns", "Raises"])
def test_a_function_says_what_it_takes_gives_and_refuses(title):
    lacking = []
    for name, function, docs in documented():
        said = section(docs, title) or (section(docs, "Yields") if title == "Returns" else "")
        if title == "Args":
            taken = inspect.signature(function).parameters
            lacking += [f"{name}: {key}" for key in taken if not argument(said, key)]
        elif title == "Returns":
            gives = inspect.signature(function).return_annotation
            lacking += [name] if gives not in (None, "None") and not said else []
        else:
            source = inspect.getsource(inspect.unwrap(function))
            raises = re.search(r"raise InputError|@checks_kinds|\bcheck_\w+\(", source)
            lacking += [name] if raises and "InputError" not in said else []
    assert not lacking


def test_axes_of_arrays_are_named():
    lacking = []
    for name, function, docs in documented():
        hints = dict(inspect.get_annotations(inspect.unwrap(function)))
        gives = str(hints.pop("return", None))
        lacking += [
            f"{name}: {key}"
            for key, hint in hints.items()
            if UNNAMED.search(str(hint)) and not AXES.search(argument(docs, key))
        ]
        if UNNAMED.search(gives) or "Dataset]" in gives or gives == "xr.Dataset":
            lacking += [] if AXES.search(section(docs, "Returns")) else [f"{name}: {gives}"]
    assert not lacking


def test_a_class_says_what_it_holds():
    lacking = []
    for name in CLASSES:
        value = value_of(name)
        said = "".join(inspect.getdoc(base) or "" for base in value.__mro__[:-1])
        said += "".join(_texts_of_fields(value))
        lacking += [
            f"{name}: {key}"
            for key, field in getattr(value, "__dataclass_fields__", {}).items()
            if not key.startswith("_")
            and "ClassVar" not in str(field.type)
            and not re.search(rf"\b{key}:? ", said)
        ]
    assert not lacking


def _texts_of_fields(value):
    """Strings under fields, which are their docstrings."""
    for node in ast.walk(ast.parse(inspect.getsource(value))):
        body = getattr(node, "body", [])
        if isinstance(body, list):
            for field, text in itertools.pairwise(body):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    yield f"{field.target.id}: {ast.unparse(text)}\n"


def test_quantities_name_their_source():
    lacking = [
        (name, paper)
        for paper, names in SOURCES.items()
        for name in names
        if paper not in " ".join((inspect.getdoc(value_of(f"jaxunits.{name}")) or "").split())
    ]
    assert not lacking


def test_every_paper_that_is_cited_stands_in_the_bibliography():
    bibliography = (ROOT / "docs" / "bibliography.md").read_text()
    texts = [inspect.getdoc(value_of(name)) or "" for name in sorted(NAMES)]
    texts += [path.read_text() for path in sorted((ROOT / "docs").rglob("*.md"))]
    cited = {" ".join(paper.split()) for text in texts for paper in CITED.findall(text)}
    assert len(cited) > 10
    assert not {paper for paper in cited if paper not in bibliography}
    assert all(paper in bibliography for paper in SOURCES)


def test_papers_are_cited_by_name():
    texts = {name: inspect.getdoc(value_of(name)) or "" for name in NAMES}
    texts |= {str(path): path.read_text() for path in (ROOT / "docs").rglob("*.md")}
    assert not [name for name, text in texts.items() if re.search(r"\b[Pp]aper [ABCM]\b", text)]
