// A worker: the simulator, compiled from Go (cmd/whatif), which answers one question
// after another.
import "wasm-exec";

import type { FromWorker, ToWorker } from "./messages";

interface Simulator {
  load(base: string): string;
  ask(changes: string): string;
}

declare class Go {
  readonly importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

declare const forkbench: Simulator;

// Of the global scope of a worker, for which TypeScript has no types beside a page's.
interface Scope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

export function serve(): void {
  const scope = self as unknown as Scope;
  const failed = (error: unknown) => {
    scope.postMessage({ kind: "failed", why: String(error) });
  };
  scope.onmessage = ({ data }) => {
    if (data.kind === "load") {
      start(data.simulator).then(() => {
        scope.postMessage({ kind: "loaded", answer: forkbench.load(data.base) });
      }, failed);
      return;
    }
    try {
      scope.postMessage({ kind: "answer", id: data.id, answer: forkbench.ask(data.changes) });
    } catch (error) {
      failed(error);
    }
  };
}

async function start(simulator: string): Promise<void> {
  const packed = Uint8Array.from(atob(simulator), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(await new Response(unpacked).arrayBuffer(), go.importObject);
  void go.run(instance); // for as long as there is the worker
}
