"""The pages hang together: links lead somewhere, and the index of decisions has every decision."""

import re

from tests.docs.blocks import PAGES, ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def dead_links(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    return [target for target in targets if "://" not in target and not (page.parent / target).exists()]


def test_every_link_leads_somewhere():
    assert {str(page.relative_to(ROOT)): dead for page in PAGES if (dead := dead_links(page))} == {}


def test_a_link_to_nowhere_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("[here](page.md) [there](https://example.org/x) [nowhere](gone.md#part)")

    assert dead_links(page) == ["gone.md"]


def test_the_index_of_decisions_has_every_decision_by_its_title():
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(folder.glob("[0-9]*.md"))

    assert len(records) >= 3
    for record in records:
        title = record.read_text(encoding="utf-8").splitlines()[0]
        number, _, name = title.removeprefix("# ").partition(" ")
        assert int(number.strip(".:")) == int(record.name[:4])
        assert f"[{record.name[:4]}]({record.name}) | {name}".lower() in index.lower()


def test_every_page_of_the_docs_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    pages = [page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.md")]
    assert [page for page in pages if page not in readme] == []


def test_every_change_is_named_after_its_issue_and_kind():
    kinds = re.findall(r"^\| `(\w+)` \|", (ROOT / "changes" / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    fragments = [file.name for file in (ROOT / "changes").iterdir() if file.name != "README.md"]

    assert [name for name in fragments if not re.fullmatch(rf"\d+\.({'|'.join(kinds)})\.md", name)] == []
