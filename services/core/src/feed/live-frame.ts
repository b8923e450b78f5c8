import { eventJson, type Frame, type FrameEvent } from '@allsource/shared/protocol';
import { textMessage } from './text-message.ts';

const LIVE = new WeakMap<Frame, LiveFrame>();

/** A frame as live subscribers need it: what the first of them finds and makes serves all others. It goes when the frame goes. */
export class LiveFrame {
  readonly events: readonly FrameEvent[];
  readonly #texts: string[] = [];
  readonly #messages: Buffer[] = [];

  private constructor(frame: Frame) {
    this.events = [...frame.events()];
  }

  static of(frame: Frame): LiveFrame {
    let live = LIVE.get(frame);
    if (live === undefined) {
      live = new LiveFrame(frame);
      LIVE.set(frame, live);
    }
    return live;
  }

  /** The JSON text of one of its events. */
  text({ index }: FrameEvent): string {
    return (this.#texts[index] ??= eventJson(this.events[index] as FrameEvent));
  }

  /** The same as a WebSocket message. */
  message(event: FrameEvent): Buffer {
    return (this.#messages[event.index] ??= textMessage(this.text(event)));
  }
}
