"""The seam holds: outside its own room, the teachers and what attacks or shows inputs, no code knows a modality."""

import ast
import re
from pathlib import Path

import pytest

import tutelage

ROOT = Path(tutelage.__file__).parent
ROOMS = {"modality", "teachers", "security", "viewing"}
WORD = re.compile(r"(?<![a-z])(token|tokenizer|pixel|image|photo|texts?_of|images_of)s?(?![a-z])", re.IGNORECASE)  # fmt: skip
LIBRARIES = re.compile(r"^(PIL|tokenizers|transformers|torchvision)(\.|$)")
BUILDERS = re.compile(r"^tutelage\.modality\.(images|text)\w*$")
ELSEWHERE = [p for p in sorted(ROOT.rglob("*.py")) if p.relative_to(ROOT).parts[0] not in ROOMS]
ALLOWED = {
    "doctor.py": "it asks whether two builds fit",
    "token_hex": "the standard library's name",
}


def identifiers(node: ast.AST) -> list[str]:
    """Names that code gives or uses; words in documentation and messages are free."""
    match node:
        case ast.Name():
            return [node.id]
        case ast.Attribute():
            return [node.attr]
        case ast.arg() | ast.keyword():
            return [node.arg or ""]
        case ast.FunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.alias():
            return [node.name.rpartition(".")[2]]
    return []


def imported(node: ast.AST) -> list[str]:
    """Modules that are imported."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def compared(node: ast.AST) -> bool:
    """Is it asked which modality something is of?"""
    told = ast.unparse(node) if isinstance(node, ast.Compare) else ""
    return bool(re.search(r"\.family\b|modality\.name|KNOWN\[|'images'|'text'|'tokens'|'px'", told))


@pytest.mark.parametrize("path", ELSEWHERE, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_word_of_a_modality(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {name for node in nodes for name in identifiers(node)} - set(ALLOWED)
    assert not [name for name in names if WORD.search(name.replace("_", " "))]
    assert not [node.lineno for node in nodes if compared(node)]
    modules = [module for node in nodes for module in imported(node)]
    assert not [m for m in modules if BUILDERS.match(m)]
    assert path.name in ALLOWED or not [m for m in modules if LIBRARIES.match(m)]


def test_the_house_is_looked_at():
    assert len(ELSEWHERE) > 100


@pytest.mark.parametrize("line", [
    "from tutelage.modality.images import IMAGES", "from PIL import Image", "if modality.family == 'text': pass",
    "def read(pixels): pass", "tokens = 3", "if name == 'images': pass", "import transformers",
])  # fmt: skip
def test_the_law_can_be_broken(tmp_path, line):
    (tmp_path / "x.py").write_text(line)
    with pytest.raises(AssertionError):
        test_no_word_of_a_modality(tmp_path / "x.py")
