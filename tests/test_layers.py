"""The structure of the package: imports point one way, files stay short."""

import ast
from pathlib import Path

import pytest

LAYERS = {
    **{"names": -2, "records": -1, "class_lists": -1, "tasks": 0, "benchmarks": 0.5, "ops": 1},
    **{"data": 2, "models": 2, "losses": 2, "metrics": 2, "engine": 3, "page": 3.7, "cli": 4},
}
"""Height of each room; a room imports from lower ones and from itself."""
PUBLIC = {"pamm": 3.5, "__main__": 5}
"""The package itself names what is public, so it stands above the engine; only the command line reads it."""
MAX_LINES = 300


def modules(root: Path) -> dict[str, Path]:
    source = root / "src"
    found = {}
    for path in sorted((source / "pamm").rglob("*.py")):
        name = ".".join(path.relative_to(source).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of the package that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            for alias in node.names:
                child = f"{node.module}.{alias.name}"
                found.add(child if child in known else node.module or "")
    return {name for name in found if name.split(".")[0] == "pamm"}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def height(module: str) -> float:
    return (LAYERS | PUBLIC)[room(module)]


def test_imports_point_down(root):
    known = modules(root)
    wrong = []
    for module, path in known.items():
        for target in imports(path, known):
            same_room = room(target) == room(module)
            if not same_room and height(target) >= height(module):
                wrong.append(f"{module} imports {target}")
    assert not wrong


def test_no_circles(root):
    known = modules(root)
    graph = {module: imports(path, known) & set(known) for module, path in known.items()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module not in done:
            for target in graph[module]:
                visit(target, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_files_are_short(root, folder):
    long = {
        str(path.relative_to(root)): count
        for path in (root / folder).rglob("*.py")
        if (count := len(path.read_text().splitlines())) > MAX_LINES
    }
    assert not long


def test_lightning_only_in_the_engine(root):
    known = modules(root)
    users = {
        room(module)
        for module, path in known.items()
        if "import lightning" in path.read_text() or "from lightning" in path.read_text()
    }
    assert users <= {"engine"}


def test_predicting_needs_no_trainer(root):
    known = modules(root)
    reached, queue = set(), ["pamm", "pamm.cli"]
    while queue:
        module = queue.pop()
        if module in reached:
            continue
        reached.add(module)
        assert "import lightning" not in known[module].read_text(), f"{module} needs lightning to import"
        queue += [name for name in imports_at_top(known[module], known) if name in known]


def imports_at_top(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of the package that are imported as soon as a file is."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_no_task_is_named_in_a_condition(root):
    from pamm.tasks import TASKS

    wrong = []
    for module, path in modules(root).items():
        for node in ast.walk(ast.parse(path.read_text())):
            test = (
                node.test
                if isinstance(node, (ast.If, ast.IfExp, ast.While))
                else node
                if isinstance(node, ast.Compare)
                else None
            )
            if test is None:
                continue
            names = {leaf.value for leaf in ast.walk(test) if isinstance(leaf, ast.Constant)} & set(TASKS)
            wrong += [f"{module}:{node.lineno} {name}" for name in sorted(names)]
    assert not wrong
