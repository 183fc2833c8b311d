"""docs/configuration.md: made from the declarations of the keys."""


def test_page_is_the_one_made_from_the_declarations(make_configuration):
    made = make_configuration.make_page()
    assert make_configuration.PAGE.read_text(encoding="utf-8") == made, "run python docs/make_configuration.py"


def test_every_key_stands_on_the_page_once(make_configuration):
    names = [name for source in make_configuration.find_sources() for group in source.groups().values() for name in group]
    assert len(names) == len(set(names)) > 131


def test_signs_of_html_and_tables_are_shown_as_they_are(make_configuration):
    assert make_configuration._markdown("mAP@<TOP_K> a|b x*y `a<b*c`") == "mAP@&lt;TOP_K> a\\|b x\\*y `a<b*c`"
