// What can be turned: the machine, the load and the models' knobs.
import type { Base, Parameter, WhatIf } from "./data";
import { el, fill } from "./dom";
import { millis, number, series } from "./numbers";

// A Slider turns one parameter. Its values are fixed, so that answers can be kept.
export class Slider {
  readonly root: HTMLElement;
  private readonly input = el("input", { type: "range", step: "1", min: "0" });
  private readonly told = el("output");
  private readonly start: number;

  constructor(
    readonly parameter: Parameter,
    readonly label: string,
    readonly values: number[],
    readonly measured: number,
    readonly format: (x: number) => string,
    changed: () => void,
  ) {
    this.start = Math.max(values.indexOf(measured), 0);
    this.input.max = String(values.length - 1);
    this.input.dataset["parameter"] = parameter;
    this.input.addEventListener("input", () => {
      this.tell();
      changed();
    });
    this.root = el("label", { class: "slider" }, el("span", {}, label), this.input, this.told);
    this.reset();
  }

  get value(): number {
    return this.values[Number(this.input.value)] ?? this.measured;
  }

  get turned(): boolean {
    return this.value !== this.measured;
  }

  reset(): void {
    this.input.value = String(this.start);
    this.tell();
  }

  private tell(): void {
    const text = this.format(this.value);
    this.input.setAttribute("aria-valuetext", text);
    fill(this.told, text);
  }
}

const whole = (n: number) => String(n);

// ofRun are the sliders for a run: of what its models have.
export function ofRun(w: WhatIf, changed: () => void): Slider[] {
  const { base } = w;
  const counts = (most: number, own: number) =>
    [...new Set([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, own])].filter((n) => n <= Math.max(most, own)).sort((a, b) => a - b);
  const list = [
    new Slider("workers", "Workers", counts(128, base.workers), base.workers, whole, changed),
    new Slider("cores", "Cores", counts(128, base.cores), base.cores, whole, changed),
  ];
  const hybrid = base.models.find((m) => m.hybrid !== undefined && plain(m.name));
  if (hybrid?.hybrid !== undefined) {
    const own = Math.max(hybrid.hybrid.JobsPerChild, 1);
    list.push(new Slider("jobs-per-child", "Jobs per child (hybrid)", series(1, 1000, own), own, whole, changed));
  }
  const prefork = base.models.find((m) => m.prefork !== undefined && plain(m.name));
  if (prefork?.prefork !== undefined) {
    const own = prefork.prefork.MaxJobsPerChild;
    const ends = [...series(1, 1000, ...(own > 0 ? [own] : [])), 0];
    list.push(new Slider("max-jobs-per-child", "Jobs per child (prefork)", ends, own, (n) => (n === 0 ? "no end" : whole(n)), changed));
  }
  if (w.job_ms > 0) {
    const factors = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];
    list.push(new Slider("job-time", "CPU time of a job", factors.map((f) => (f === 1 ? w.job_ms : rounded(w.job_ms * f))), w.job_ms, millis, changed));
  }
  return list;
}

// rate is the slider of the arrival rate, in jobs per second, around what the models do.
export function rate(w: WhatIf, own: number, changed: () => void): Slider {
  const best = Math.max(own, ...(w.measured ?? []).map((m) => m.values.jobs_done_per_s ?? 0), 10);
  const most = 10 ** Math.ceil(Math.log10(2 * best));
  const values = new Set(own > 0 ? [own] : []);
  for (let x = most; x >= most / 2000; x /= 10) {
    for (const m of [0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]) {
      values.add(rounded(x * m));
    }
  }
  const list = [...values].sort((a, b) => a - b);
  const start = own > 0 ? own : (list.filter((x) => x <= best / 2).at(-1) ?? list[0] ?? 1);
  return new Slider("rate", "Jobs per second", list, start, (x) => number(x) + "/s", changed);
}

// rounded is a number of three significant digits.
function rounded(x: number): number {
  return Number(x.toPrecision(3));
}

// plain reports whether a model is one whose knobs are not in its name.
export function plain(name: string): boolean {
  return !name.includes("(");
}

// turns reports whether a parameter makes a difference to a model of the base.
export function turns(base: Base, model: number, parameter: Parameter): boolean {
  const m = base.models[model];
  switch (parameter) {
    case "jobs-per-child":
      return m?.hybrid !== undefined && plain(m.name);
    case "max-jobs-per-child":
      return m?.prefork !== undefined && plain(m.name);
    default:
      return true;
  }
}
