import ast
from pathlib import Path

import pairs_platform


def reads_the_environment(path):
    """Lines of a file that read `os.environ`; handing it to a child process, and setting a variable, reads nothing."""
    for node in ast.walk(ast.parse(path.read_text())):
        environ = getattr(node, "value", None)
        called = isinstance(node, ast.Attribute) and node.attr in ("get", "items", "keys", "values")
        asked = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        if isinstance(node, ast.Compare):
            environ, asked = node.comparators[0], isinstance(node.ops[0], ast.In | ast.NotIn)
        if (called or asked) and ast.unparse(environ) in ("os.environ", "environ"):
            yield f"{path}:{node.lineno}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.getenv", "getenv"):
            yield f"{path}:{node.lineno}"


def test_only_the_settings_read_the_environment():
    package = Path(pairs_platform.__file__).parent
    files = {path: list(reads_the_environment(path)) for path in package.rglob("*.py")}
    assert any(files[path] for path in files if path.parent.name == "settings")
    assert not [line for path, lines in files.items() for line in lines if path.parent.name != "settings"]
