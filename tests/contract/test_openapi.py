from pathlib import Path

from app.cli.openapi import document

FILE = Path(__file__).parents[2] / "openapi" / "openapi.json"


def test_the_document_in_the_repository_is_the_one_the_service_serves():
    assert FILE.read_bytes() == document(), "run `make openapi` and read the difference"
