from app.channels import REGISTER
from app.cli import group
from tests.readme_tables import README, rendered


def test_the_readmes_tables_say_what_the_code_does():
    text = README.read_text()

    assert rendered(text) == text, "run `python -m tests.readme_tables` and read the difference"


def test_the_readme_names_every_channel_and_how_to_add_a_partner_to_it():
    text = README.read_text()

    for name in REGISTER:
        assert f"--channel {name} " in text
        assert f"app/channels/{name}/README.md" in text


def test_every_command_in_the_readme_exists():
    words = {line.split()[1] for line in README.read_text().splitlines() if line.startswith("evse-status ")}

    assert words
    assert words <= set(group.commands)
