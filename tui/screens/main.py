"""The main screen: it passes data to widgets and keys to actions."""

from __future__ import annotations

from msgspec.structs import replace
from textual import events, work
from textual.content import Content
from textual.widgets import Input, OptionList

from phasewise.tui.keys import bindings, pressed
from phasewise.tui.reasons import why_not
from phasewise.tui.screens.phase_actions import PhaseActions
from phasewise.tui.screens.view_actions import ViewActions
from phasewise.tui.widgets.choice_picker import ChoicePicker
from phasewise.tui.widgets.phase_list import DECLINED, ELSEWHERE, PhaseList
from phasewise.tui.widgets.tick_list import TickList


class MainScreen(PhaseActions, ViewActions):
    """Phases, tabs, image and build. Base knows and draws, JobControl runs jobs, Reading asks the session."""

    BINDINGS = bindings()

    def on_mount(self) -> None:
        self.watch(self.app, "app_focus", self.came_back, init=False)
        # The first frame comes first; opening the repository may take longer than that.
        self.call_after_refresh(self.open)

    def on_phase_list_chosen(self, event: PhaseList.Chosen) -> None:
        self.chosen = event.id

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option.id == DECLINED:
            self.action_declined()
        elif event.option.id == ELSEWHERE:
            self.show_elsewhere()
        else:
            self.action_enter_tab()

    def on_option_list_option_highlighted(self) -> None:
        self._show_keys()

    @work(group="ask")
    async def on_tick_list_turned(self, event: TickList.Turned) -> None:
        reason = why_not("tick", replace(self.situation, hunk=""))
        if reason:
            self.say(reason, "warning")
        elif row := self.row:
            await self.change(lambda session: session.tick(row.id, event.id, event.on))

    @work(group="ask")
    async def on_choice_picker_picked(self, event: ChoicePicker.Picked) -> None:
        await self.change(lambda session: session.pick(event.phase, event.choice, event.options))

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one(PhaseList).wanted = event.value
        self.query_one("#left").border_title = Content(
            "Phases that match; esc shows all" if event.value.strip() else "Phases"
        )

    def on_input_submitted(self) -> None:
        self.query_one(PhaseList).focus()

    def on_tabbed_content_tab_activated(self) -> None:
        self.draw_job()

    def on_key(self, event: events.Key) -> None:
        """A disabled key says why; keys that mean something else where the focus is are left to it."""
        key = pressed(event.key)
        reason = why_not(key.action, self.situation) if key else ""
        if not reason:
            return
        active = self.active_bindings.get(event.key)
        if active is not None and active.node is self:
            event.stop()
            self.say(reason, "warning")
