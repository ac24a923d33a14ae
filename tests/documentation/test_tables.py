from app.channels import REGISTER
from tests.documentation.pages import DOCS, documentation, name_of
from tests.documentation.tables import rendered, tables


def test_the_tables_say_what_the_code_does():
    stale = [name_of(page) for page in documentation() if rendered(page.read_text()) != page.read_text()]

    assert not stale, "run `make docs-tables` and read the difference"


def test_every_table_stands_on_exactly_one_page():
    """One place each, so that nobody wonders which of two is right."""
    for name in tables():
        assert sum(f"<!-- table: {name} -->" in page.read_text() for page in documentation()) == 1, name


def test_the_pages_name_every_channel_and_how_to_add_a_partner_to_it():
    text = (DOCS / "partners.md").read_text()

    for name in REGISTER:
        assert f"--channel {name} " in text
        assert f"app/channels/{name}/README.md" in text
