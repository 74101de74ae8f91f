"""Every key of the main screen, with the help that the footer, the help window and the palette show."""

from __future__ import annotations

from msgspec import Struct
from textual.binding import Binding, BindingType


class Key(Struct, frozen=True):
    """One action: its keys, its name, and a sentence of help."""

    action: str
    keys: str
    """Comma-separated, as Textual names them; the first is the one that is shown."""
    shown: str
    """How the first key is written."""
    label: str
    help: str
    footer: int = 0
    """Place in the footer, 1 first; 0 keeps it out. Late ones go first where there is no room."""

    @property
    def binding(self) -> Binding:
        """The key as Textual wants it."""
        return Binding(
            self.keys,
            self.action,
            self.label,
            key_display=self.shown,
            tooltip=self.help,
            show=self.footer > 0,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The single keys."""
        return tuple(self.keys.split(","))


VIM_KEYS: list[BindingType] = [
    Binding("j", "cursor_down", "down", show=False),
    Binding("k", "cursor_up", "up", show=False),
]
"""For every list, beside the arrow keys."""

KEYS: tuple[Key, ...] = (
    Key(
        "apply",
        "a",
        "a",
        "apply",
        "Commit the phase, then build, measure and check it; where all passes, go on to the next one.",
        1,
    ),
    Key("roll_back", "u", "u", "roll back", "Take the phase back with a revert commit; later ones stay.", 2),
    Key(
        "measure",
        "m",
        "m",
        "measure",
        "Build the phase's commit, and the one before it, cold, warm and after a code change; time each.",
        5,
    ),
    Key("verify", "v", "v", "verify", "Run the checks on the current image again.", 6),
    Key(
        "roll_back_all",
        "U",
        "U",
        "roll back all",
        "Take every applied phase back with revert commits; asks first.",
    ),
    Key("skip", "s", "s", "skip", "Set the phase aside, or take it up again.", 7),
    Key(
        "tick",
        "space",
        "space",
        "untick",
        "Leave the shown file, or the hunk that n has chosen, out of the phase; or take it in again.",
        8,
    ),
    Key("next_tab", "tab", "tab", "next", "Show the next tab.", 4),
    Key("previous_tab", "shift+tab", "shift+tab", "previous", "Show the previous tab."),
    Key("tab(1)", "1", "1", "diff", "Show what the phase edits."),
    Key("tab(2)", "2", "2", "why", "Show the reason, the evidence, the price and the choices."),
    Key("tab(3)", "3", "3", "effect", "Show the metrics before and after."),
    Key("tab(4)", "4", "4", "checks", "Show what the checks say."),
    Key("tab(5)", "5", "5", "build", "Show the steps and the log of the build."),
    Key(
        "enter_tab",
        "enter,right",
        "enter",
        "into the tab",
        "Move to the tab's choices, files or text; esc comes back.",
    ),
    Key("leave_tab", "escape,left", "esc", "back", "Move back to the list of phases; clear the filter."),
    Key("next_file", "right_square_bracket", "]", "next file", "Show the next file of the phase."),
    Key("previous_file", "left_square_bracket", "[", "previous file", "Show the previous file of the phase."),
    Key(
        "next_hunk",
        "n",
        "n",
        "next hunk",
        "Choose the next hunk of the file; space leaves it out, esc lets go.",
    ),
    Key("previous_hunk", "N", "N", "previous hunk", "Choose the previous hunk of the file."),
    Key("scroll(1)", "J", "J", "scroll down", "Scroll the tab down while the list keeps the cursor."),
    Key("scroll(-1)", "K", "K", "scroll up", "Scroll the tab up while the list keeps the cursor."),
    Key("side_by_side", "backslash", "\\", "side by side", "Show the diff side by side, or unified.", 13),
    Key("filter", "slash", "/", "filter", "Keep only the phases whose id, title, state or files match.", 9),
    Key("history", "h", "h", "history", "List the commits that touched the Dockerfile.", 11),
    Key("image", "i", "i", "image", "Show what is inside the image, by layer, kind and package.", 12),
    Key("report", "r", "r", "report", "Write the pull-request text and show where it is.", 14),
    Key("declined", "d", "d", "declined", "Show what is not proposed, and why.", 16),
    Key(
        "page",
        "p",
        "p",
        "rule page",
        "Read the rule's page: what it does, why, examples, and when it stays silent.",
        10,
    ),
    Key("target", "t", "t", "target", "Turn to another Dockerfile.", 15),
    Key("branch", "b", "b", "branch", "Choose where commits go: this branch or a new one.", 17),
    Key("cancel", "c", "c", "stop", "Stop the build or the checks that run.", 3),
    Key("refresh", "f5,ctrl+r", "f5", "refresh", "Read the repository again."),
    Key("palette", "ctrl+p", "^p", "commands", "Search all commands and themes.", 18),
    Key("help", "question_mark,f1", "?", "help", "Explain every key.", 0),
    Key("quit", "q,ctrl+q", "q", "quit", "Leave; asks first while a job runs.", 19),
)


def bindings() -> list[BindingType]:
    """All keys as bindings of the main screen."""
    return [key.binding for key in KEYS]


def key_of(action: str) -> Key:
    """The key of an action.

    Raises:
        KeyError: no key has it.
    """
    found = next((key for key in KEYS if key.action == action), None)
    if found is None:
        raise KeyError(action)
    return found


def pressed(name: str) -> Key | None:
    """The key that Textual calls `name`, or None."""
    return next((key for key in KEYS if name in key.names), None)
