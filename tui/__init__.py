"""The terminal UI: a front end on `phasewise.migration.session` and nothing below it."""
