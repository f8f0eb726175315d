// Questions to the simulator: some workers answer them, each once.
import type { Answer, Changes } from "./data";
import type { FromWorker, ToWorker } from "./messages";

interface Task {
  key: string;
  resolve: (answer: Answer) => void;
  dropped: () => void;
}

// mostKept is how many answers are kept for when they are asked for again.
const mostKept = 5000;

export class Dropped extends Error {}

export class Simulator {
  // ready is the profile's caveats, when all workers are.
  readonly ready: Promise<string[]>;

  private readonly kept = new Map<string, Promise<Answer>>();
  private readonly idle: Worker[] = [];
  private readonly running = new Map<Worker, Task>();
  private queue: Task[] = [];

  // script is the page's own, which is a worker's, too.
  constructor(script: string, simulator: string, base: string) {
    const count = Math.min(Math.max(navigator.hardwareConcurrency - 1, 1), 4);
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.ready = Promise.all(Array.from({ length: count }, () => this.begin(url, simulator, base))).then((all) => all[0] ?? []);
  }

  private begin(url: string, simulator: string, base: string): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(url);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message || "the browser started no worker"));
      };
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        switch (data.kind) {
          case "loaded": {
            const { error, caveats } = JSON.parse(data.answer) as Answer;
            if (error !== undefined) {
              reject(new Error(error));
              return;
            }
            resolve(caveats ?? []);
            this.free(worker);
            return;
          }
          case "answer": {
            const task = this.running.get(worker);
            this.running.delete(worker);
            task?.resolve(JSON.parse(data.answer) as Answer);
            this.free(worker);
            return;
          }
          case "failed":
            this.running.get(worker)?.resolve({ error: data.why });
            this.running.delete(worker);
            reject(new Error(data.why));
        }
      };
      say(worker, { kind: "load", simulator, base });
    });
  }

  private free(worker: Worker): void {
    const task = this.queue.shift();
    if (task === undefined) {
      this.idle.push(worker);
      return;
    }
    this.running.set(worker, task);
    say(worker, { kind: "ask", id: 0, changes: task.key });
  }

  // ask answers, after what was asked before. An answer that is there comes at once.
  ask(changes: Changes): Promise<Answer> {
    const key = JSON.stringify(changes);
    const known = this.kept.get(key);
    if (known !== undefined) {
      return known;
    }
    if (this.kept.size >= mostKept) {
      this.kept.clear();
    }
    const answer = new Promise<Answer>((resolve, reject) => {
      this.queue.push({
        key,
        resolve,
        dropped: () => {
          this.kept.delete(key);
          reject(new Dropped());
        },
      });
    });
    this.kept.set(key, answer);
    const worker = this.idle.pop();
    if (worker !== undefined) {
      this.free(worker);
    }
    return answer;
  }

  // drop forgets the questions that nobody has begun to answer.
  drop(): void {
    const queue = this.queue;
    this.queue = [];
    for (const task of queue) {
      task.dropped();
    }
  }
}

function say(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}
