"""docs/configuration.md: made from the config.py files, every key of which is explained."""

import textwrap

import pytest

from vreid_common.config import CfgNode, get_cfg


def _keys(cfg: CfgNode, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in cfg.items():
        found |= _keys(value, f"{prefix}{name}.") if isinstance(value, CfgNode) else {prefix + name}
    return found


def test_page_is_the_one_made_from_the_comments(make_configuration):
    made = make_configuration.make_page()
    assert make_configuration.PAGE.read_text(encoding="utf-8") == made, "run python docs/make_configuration.py"


def test_every_key_is_explained(make_configuration):
    nodes = [node for source in make_configuration.find_sources() for node in make_configuration.read_nodes(source)]
    lacking = [key for node in nodes for key in node.unexplained()]
    assert not lacking, "write a comment above these keys"


def test_no_added_key_is_left_out(make_configuration):
    """What the configurations have beyond FastReID's, against what was read from the files' text."""
    added, read = set(), set()
    for source in make_configuration.find_sources():
        added |= _keys(source.config()) - _keys(get_cfg())
        for node in make_configuration.read_nodes(source):
            read |= {".".join(filter(None, [node.path, key.name])) for key in node.keys}
    assert read == added


@pytest.fixture
def read(make_configuration, tmp_path, monkeypatch):
    """A function: lines of a config.py's function to the nodes that are read from them."""

    def read_lines(lines: str) -> list:
        path = tmp_path / "config.py"
        path.write_text("def add(cfg):\n" + textwrap.indent(textwrap.dedent(lines), "    "))
        cfg = CfgNode()
        scope = {"CfgNode": CfgNode}
        exec(path.read_text(), scope)
        scope["add"](cfg)
        source = make_configuration.Source("Test", path, "test.config")
        monkeypatch.setattr(make_configuration.Source, "config", lambda self: cfg)
        return make_configuration.read_nodes(source)

    return read_lines


def test_a_comment_belongs_to_the_key_below_it(read):
    (node,) = read("""
        # A node.
        cfg.A = CfgNode()
        # First line,
        # second line.
        cfg.A.B = 1 + 1
        cfg.A.C = "x"
    """)
    assert (node.path, node.explanation) == ("A", "A node.")
    assert node.keys == [("B", 2, "First line, second line."), ("C", "x", "")]
    assert node.unexplained() == ["A.C"]


def test_the_nodes_comment_explains_keys_of_which_none_has_its_own(read):
    (node,) = read("""
        # B and C of a node.
        cfg.A = CfgNode()
        cfg.A.B = 1
        cfg.A.C = 2
    """)
    assert node.unexplained() == []
    (node,) = read("cfg.A = CfgNode()\ncfg.A.B = 1")
    assert node.unexplained() == ["A.B"]


def test_signs_of_html_and_tables_are_shown_as_they_are(make_configuration):
    assert make_configuration._markdown("mAP@<TOP_K> a|b x*y `a<b*c`") == "mAP@&lt;TOP_K> a\\|b x\\*y `a<b*c`"
