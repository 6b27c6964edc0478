/** The keyboard while the training is replayed: the keys of the stepper, moving in its time. */

import type { Replay } from "./state";
import type { Transport } from "./transport";

export function keys(replay: Replay, transport: Transport): void {
  const acts: { [key: string]: () => void } = {
    n: () => transport.move(1),
    p: () => transport.move(-1),
    i: () => {},
    " ": () => transport.toggle(),
    c: () => replay.against.set(replay.against.value ? null : { step: replay.step }),
  };
  addEventListener(
    "keydown",
    (event) => {
      const target = event.target as HTMLElement;
      if (!replay.training.value || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.matches("input[type=search],select,textarea")) return;
      if (event.key === " " && target.matches("button,a,[role=treeitem],pre")) return;
      const act = acts[event.key];
      if (!act) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    },
    true,
  );
}
