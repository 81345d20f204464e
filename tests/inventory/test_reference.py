"""The reference page says what is true."""

from __future__ import annotations

from deploy.inventory import reference


def test_the_page_has_the_tables_as_they_are_now() -> None:
    page = reference.PAGE.read_text()
    assert reference.filled(page) == page, "run `python -m deploy.inventory.reference`"


def test_every_table_has_its_place_on_the_page() -> None:
    page = reference.PAGE.read_text()
    assert all(page.count(reference.START.format(name)) == 1 for name in reference.tables())
    assert page.count(reference.END) == len(reference.tables())
