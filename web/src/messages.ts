// What the page and a worker say to each other.

export type ToWorker = { kind: "load"; simulator: string; base: string } | { kind: "ask"; id: number; changes: string };

export type FromWorker =
  | { kind: "loaded"; answer: string }
  | { kind: "answer"; id: number; answer: string }
  | { kind: "failed"; why: string };
