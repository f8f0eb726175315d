// What if: the simulator of this page, asked about other machines and loads. All that it
// answers is drawn and written as simulated: hollow points on dashed lines, on a ground
// of its own.
import uPlot from "uplot";

import { Dropped, Simulator } from "./ask";
import type { Answer, Changes, Estimate, Metric, Parameter, Prediction, WhatIf } from "./data";
import { button, choice, el, fill, inner } from "./dom";
import type { Models } from "./models";
import { logTick, millis, number } from "./numbers";
import { ofRun, rate, type Slider, turns } from "./sliders";

const font = '11px system-ui, "Liberation Sans", Arial, sans-serif';
const quick = 3; // replications of a curve's points in the end, and of what is told at first
const full = 10; // the command's
const mostPoints = 9;

const metrics: { name: Metric; label: string; unit: string }[] = [
  { name: "jobs_done_per_s", label: "jobs per second", unit: "/s" },
  { name: "cpu_ms_per_job_done", label: "CPU per job, ms", unit: " ms" },
  { name: "p50_ms", label: "latency p50, ms", unit: " ms" },
  { name: "p95_ms", label: "latency p95, ms", unit: " ms" },
  { name: "p99_ms", label: "latency p99, ms", unit: " ms" },
  { name: "peak_pss_mb", label: "peak memory, MB", unit: " MB" },
];

type Arrivals = "measured" | "burst" | "random";

interface Point {
  x: number;
  answers: (Answer | undefined)[]; // by model of the base
}

export class WhatIfs {
  private readonly simulator: Simulator;
  private readonly sliders: Slider[];
  private readonly rate: Slider;
  private readonly arrivals: HTMLSelectElement;
  private readonly over: HTMLSelectElement;
  private readonly metric: HTMLSelectElement;
  private readonly status = el("p", { role: "status", class: "said" }, "The simulator is loading…");
  private readonly table = el("div", { class: "scroll", role: "group", "aria-label": "Simulated figures", tabindex: "0" });
  private readonly doubts = el("ul", { class: "doubts" });
  private readonly command = el("code");
  private readonly beside = el("p");
  private readonly chartBox = el("div", { class: "chart card" });
  private readonly chartTitle = el("h3", { id: "whatif-chart" });
  private readonly curveTable = el("div", { class: "scroll", role: "group", "aria-label": "The curves as a table", tabindex: "0" });
  private plot: uPlot | undefined;
  private caveats: string[] = [];
  private generation = 0;
  private drawing = false;
  private now: (Answer | undefined)[] = [];
  private points: Point[] = [];

  constructor(
    private readonly root: HTMLElement,
    private readonly w: WhatIf,
    private readonly models: Models,
    script: string,
    simulator: string,
    private readonly simulated: boolean,
  ) {
    const changed = () => { this.ask(); };
    this.sliders = ofRun(w, changed);
    const own = ownRate(w.base.arrivals);
    this.rate = rate(w, own, changed);
    const plans: [Arrivals, string][] = [];
    if (own > 0) {
      plans.push(["measured", `as in the run (${w.base.arrivals})`]);
    }
    plans.push(["burst", "all at once"], ["random", "at random, at a rate"]);
    const arrivals = choice("Jobs come", plans, changed);
    this.arrivals = arrivals.select;
    const over = choice("over", this.all().map((s) => [s.parameter, s.label]), changed);
    this.over = over.select;
    const metric = choice("Curves of", metrics.map((m) => [m.name, m.label]), () => { this.draw(); });
    this.metric = metric.select;

    const notes = w.notes ?? [];
    root.classList.add("simulated");
    root.append(
      el(
        "p",
        {},
        el("strong", { class: "badge" }, "Simulated"),
        ` All in this part comes of the simulator in this file, with ${simulated ? "the profile" : "a profile made of the rounds measured here"}: ${w.profile}. Nothing of it was measured, but for what is said to be.`,
      ),
      el(
        "fieldset",
        { class: "controls" },
        el("legend", {}, "Machine, load and knobs"),
        ...this.sliders.map((s) => s.root),
        arrivals.label,
        this.rate.root,
        button(simulated ? "As it was simulated" : "As it was measured", () => { this.reset(); }),
      ),
      this.status,
      this.table,
      this.beside,
      this.chartTitle,
      el("p", { class: "choices" }, metric.label, over.label),
      models.key(w.models),
      this.chartBox,
      el("details", {}, el("summary", {}, "The curves as a table"), this.curveTable),
      el("h3", {}, "What it cannot vouch for"),
      this.doubts,
      el("h3", {}, "The same from the command"),
      el("p", {}, this.command),
      ...notes.map((text) => el("p", {}, text)),
    );
    this.simulator = new Simulator(script, simulator, JSON.stringify(w.base));
    this.simulator.ready.then(
      (caveats) => {
        this.caveats = caveats;
        this.ask();
      },
      (error: unknown) => {
        this.generation = -1;
        fill(this.status, `The simulator cannot run in this browser: ${error instanceof Error ? error.message : String(error)}. The command asks it, too.`);
      },
    );
    models.changed(() => { this.ask(); });
  }

  fit(): void {
    const width = inner(this.chartBox);
    if (width > 0) {
      this.plot?.setSize({ width, height: 320 });
    }
  }

  // all are the sliders that turn something now.
  private all(): Slider[] {
    return [...this.sliders, this.rate];
  }

  private get plan(): Arrivals {
    return this.arrivals.value as Arrivals;
  }

  private reset(): void {
    for (const s of this.all()) {
      s.reset();
    }
    this.arrivals.selectedIndex = 0;
    this.ask();
  }

  // changes are what is asked of a model, with one parameter perhaps at another value.
  private changes(model: number, replications: number, parameter?: Parameter, x = 0): Changes {
    const { base } = this.w;
    const set: Changes["set"] = {};
    let workers = base.workers;
    for (const s of this.sliders) {
      const value = s.parameter === parameter ? x : s.value;
      if (s.parameter === "workers") {
        workers = value;
      }
      if (value !== s.measured && turns(base, model, s.parameter)) {
        set[s.parameter] = value;
      }
    }
    const random = this.plan === "random" || parameter === "rate";
    if (random) {
      set.rate = parameter === "rate" ? x : this.rate.value;
    }
    return { set, burst: !random && this.plan === "burst", model: base.models[model]?.name ?? "", jobs: this.jobs(workers), replications };
  }

  // jobs of a replication: the run's, and of more workers than it had enough for each to
  // have some.
  private jobs(workers: number): number {
    const { base } = this.w;
    return workers <= base.workers ? base.jobs : Math.max(base.jobs, 8 * workers);
  }

  private asked(): number[] {
    return this.w.models.flatMap((place, i) => (this.models.shown(place) ? [i] : []));
  }

  // ask asks for all that is shown: first for what is set now, then for the curves, ends
  // first, and at last for what is set with as many replications as the command makes.
  private ask(): void {
    if (this.generation < 0) {
      return;
    }
    const generation = ++this.generation;
    this.simulator.drop();
    this.rate.root.hidden = this.plan !== "random";
    const began = performance.now();
    const mine = () => generation === this.generation;
    const dropped = (error: unknown) => {
      if (!(error instanceof Dropped)) {
        throw error;
      }
    };
    const asked = this.asked();
    const put = (i: number, answer: Answer) => { this.now[i] = answer; };
    this.root.dataset["state"] = "asking";
    this.table.setAttribute("aria-busy", "true"); // what stands there is of what was set before
    fill(this.status, "Simulating…");

    const first = asked.map((i) => this.simulator.ask(this.changes(i, quick)).then((a) => { if (mine()) { put(i, a); this.tell(); } }, dropped));
    void Promise.all(first).then(() => { if (mine()) { this.table.removeAttribute("aria-busy"); } });
    const parameter = this.over.value as Parameter;
    const slider = this.all().find((s) => s.parameter === parameter) ?? this.rate;
    const xs = thinned(slider.values, slider.values.indexOf(slider.value));
    this.points = xs.map((x) => ({ x, answers: [] }));
    const curves = (replications: number) =>
      coarseToFine(xs.length).flatMap((at) => {
        const point = this.points[at];
        return point === undefined
          ? []
          : asked.map((i) =>
              this.simulator.ask(this.changes(i, replications, parameter, point.x)).then((a) => { if (mine()) { point.answers[i] = a; this.soon(); } }, dropped),
            );
      });
    // Each of these waits for the one before, or else for the next change.
    const steps = [
      () => [...first, ...curves(1)],
      () => asked.map((i) => this.simulator.ask(this.changes(i, full)).then((a) => { if (mine()) { put(i, a); this.tell(); } }, dropped)),
      () => curves(quick),
    ];
    const go = async () => {
      for (const step of steps) {
        await Promise.all(step());
        if (!mine()) {
          return;
        }
        this.root.dataset["curves"] ??= String(Math.round(performance.now() - began)); // ms
      }
      this.root.dataset["state"] = "told";
      fill(this.status, `Simulated: ${full} replications of ${this.jobs(this.value("workers"))} jobs for each model; a point of a curve has ${quick}.`);
    };
    delete this.root.dataset["curves"];
    void go();
    this.soon();
    fill(this.command, this.commandLine());
  }

  private value(parameter: Parameter): number {
    return this.all().find((s) => s.parameter === parameter)?.value ?? 0;
  }

  // untouched reports whether what is set is what was measured.
  private untouched(): boolean {
    return this.arrivals.selectedIndex === 0 && this.sliders.every((s) => !s.turned);
  }

  // tell writes the table, what was measured beside it, and what to doubt.
  private tell(): void {
    const asked = this.asked();
    const predictions = asked.map((i) => this.now[i]?.prediction);
    const measured = this.untouched() ? this.w.measured : undefined;
    const rows = metrics.flatMap((metric) => {
      const simulated = el(
        "tr",
        { class: "is-simulated" },
        el("th", { scope: "row" }, metric.label + ", simulated"),
        ...predictions.map((p, at) => {
          const cell = estimateCell(p?.[metric.name], p);
          cell.dataset["model"] = this.w.base.models[asked[at] ?? 0]?.name ?? "";
          cell.dataset["metric"] = metric.name;
          return cell;
        }),
      );
      if (measured === undefined || measured.length === 0) {
        return [simulated];
      }
      return [
        simulated,
        el(
          "tr",
          { class: "is-measured" },
          el("th", { scope: "row" }, metric.label + ", measured"),
          ...asked.map((i) => {
            const value = measured.find((m) => m.model === this.w.models[i])?.values[metric.name];
            return el("td", {}, value === undefined ? "–" : number(value));
          }),
        ),
      ];
    });
    const heads = asked.map((i) => el("th", { scope: "col" }, this.name(i)));
    fill(
      this.table,
      el(
        "table",
        {},
        el("caption", {}, "At what is set above: means over replications, with their 95 % intervals."),
        el("thead", {}, el("tr", {}, el("td"), ...heads)),
        el("tbody", {}, ...rows),
      ),
    );
    fill(
      this.beside,
      this.simulated
        ? ""
        : this.untouched()
          ? "The rows “measured” are medians of this run, at these settings: the difference is the simulator’s error, and what it has left out."
          : "Nothing was measured at these settings.",
    );
    const texts = [...this.caveats];
    asked.forEach((i) => {
      const answer = this.now[i];
      for (const reason of [...(answer?.error === undefined ? [] : [answer.error]), ...(answer?.prediction?.reasons ?? [])]) {
        texts.push(`${this.name(i)}: ${reason}`);
      }
    });
    fill(this.doubts, ...(texts.length === 0 ? ["Nothing that it knows of. It knows cores and their queues, memory pages, Redis and the supervisor, and no more."] : texts).map((t) => el("li", {}, t)));
  }

  private name(i: number): string {
    return this.models.name(this.w.models[i] ?? -1);
  }

  // soon draws, once for all that has been answered until the next frame.
  private soon(): void {
    if (!this.drawing) {
      this.drawing = true;
      requestAnimationFrame(() => {
        this.drawing = false;
        this.draw();
      });
    }
  }

  // draw draws the curves as far as they are known. Until something is, those of before
  // stay.
  private draw(): void {
    const asked = this.asked();
    const slider = this.all().find((s) => s.parameter === this.over.value) ?? this.rate;
    const metric = metrics.find((m) => m.name === this.metric.value) ?? metrics[0];
    if (metric === undefined || !this.points.some((p) => p.answers.length > 0)) {
      return;
    }
    const known = (p: Point, i: number): number | null => {
      const e = p.answers[i]?.prediction?.[metric.name];
      return e === null || e === undefined ? null : e.value;
    };
    // Places, not values, are spaced evenly: they are few, and one may be without end.
    const places = this.points.map((_, k) => k);
    const series = asked.map((i) => this.points.map((p) => known(p, i)));
    const measured = asked.map((i) => {
      const value = this.untouched() ? this.w.measured?.find((m) => m.model === this.w.models[i])?.values[metric.name] : undefined;
      return this.points.map((p) => (value !== undefined && p.x === slider.measured && slider.parameter !== "rate" ? value : null));
    });
    const values = series.flat().filter((v) => v !== null && v > 0) as number[];
    const logarithmic = Math.max(...values) > 20 * Math.min(...values); // models that differ so much are all seen
    const options: uPlot.Options = {
      width: Math.max(inner(this.chartBox), 240),
      height: 320,
      legend: { show: false },
      padding: [8, 16, 0, 0],
      scales: {
        x: { time: false, range: [-0.3, places.length - 0.7] },
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- logarithmic; the enumeration exists for types only
        y: logarithmic ? { distr: 3 } : { range: (_, __, most) => [0, most > 0 ? 1.08 * most : 1] },
      },
      series: [
        {},
        ...asked.map((i): uPlot.Series => ({
          stroke: this.models.look(this.w.models[i] ?? 0).color,
          width: 1.5,
          dash: [5, 4],
          spanGaps: true,
          points: { show: true, size: 7, width: 1.5, fill: "#fff" },
        })),
        ...asked.map((i): uPlot.Series => {
          const { color } = this.models.look(this.w.models[i] ?? 0);
          return { stroke: color, width: 0, points: { show: true, size: 11, width: 2, stroke: "#000", fill: color } };
        }),
      ],
      axes: [
        { font, splits: () => places, values: () => this.points.map((p) => slider.format(p.x)), label: slider.label, labelFont: font, labelSize: 16, grid: { show: false } },
        { font, size: 60, values: (_, splits) => splits.map((y) => (logarithmic && !logTick(y) ? "" : number(y))), label: metric.label + (logarithmic ? ", logarithmic" : ""), labelFont: font, labelSize: 16 },
      ],
      cursor: { drag: { x: false, y: false }, y: false },
      hooks: {
        setCursor: [
          (u) => {
            const point = this.points[Math.round(u.posToVal(u.cursor.left ?? -1, "x"))];
            if (u.cursor.left !== undefined && u.cursor.left >= 0 && point !== undefined && this.root.dataset["state"] === "told") {
              fill(this.status, `Simulated, ${slider.label} ${slider.format(point.x)}: ` + asked.map((i) => `${this.name(i)} ${text(known(point, i), metric.unit)}`).join(", "));
            }
          },
        ],
      },
    };
    this.plot?.destroy();
    this.plot = new uPlot(options, [places, ...series, ...measured], this.chartBox);
    this.plot.root.setAttribute("aria-hidden", "true"); // the table below it says the same
    fill(this.chartTitle, `Simulated ${metric.label}, over ${slider.label.toLowerCase()}`);
    fill(
      this.curveTable,
      el(
        "table",
        {},
        el("caption", {}, `Simulated ${metric.label}, a row for each value of: ${slider.label}.`),
        el("thead", {}, el("tr", {}, el("td"), ...asked.map((i) => el("th", { scope: "col" }, this.name(i))))),
        el("tbody", {}, ...this.points.map((p) => el("tr", {}, el("th", { scope: "row" }, slider.format(p.x)), ...asked.map((i) => el("td", {}, text(known(p, i), "")))))),
      ),
    );
  }

  // commandLine is the command that gives the same numbers.
  private commandLine(): string {
    const { base } = this.w;
    const models = base.models.map((m) => m.name).join(",");
    const words = ["compare", "simulate", `--profile=${quoted(this.w.file)}`, `--model=${quoted(models)}`];
    words.push(`--workers=${this.value("workers")}`, `--cores=${this.value("cores")}`, `--jobs=${this.jobs(this.value("workers"))}`);
    for (const s of this.sliders) {
      if (s.parameter.endsWith("jobs-per-child") && s.value !== 0) {
        words.push(`--${s.parameter}=${s.value}`);
      }
    }
    if (this.plan === "random") {
      words.push(`--arrivals=poisson:${this.rate.value}/s`);
    } else if (this.plan === "measured") {
      words.push(`--arrivals=${quoted(base.arrivals)}`);
    }
    if (base.timeout_ns > 0) {
      words.push(`--timeout=${base.timeout_ns / 1e9}s`);
    }
    words.push(`--seed=${base.seed}`, `--replications=${full}`);
    const job = this.sliders.find((s) => s.parameter === "job-time");
    const unlike = job?.turned === true ? `   # with jobs of ${millis(job.value)}, which takes another profile, or compare sweep` : "";
    return words.join(" ") + unlike;
  }
}

function estimateCell(e: Estimate | null | undefined, p: Prediction | undefined): HTMLTableCellElement {
  if (p === undefined) {
    return el("td", {}, "…");
  }
  if (e === null || e === undefined) {
    return el("td", {}, "–");
  }
  const cell = el("td", {}, el("b", {}, number(e.value) + (p.converged ? "" : " !")));
  cell.dataset["value"] = String(e.value);
  if (e.low !== null && e.high !== null) {
    cell.append(" ", el("span", { class: "interval" }, `[${number(e.low)}, ${number(e.high)}]`));
  }
  return cell;
}

function text(x: number | null, unit: string): string {
  return x === null ? "–" : number(x) + unit;
}

// ownRate is the rate at which jobs come by a plan, per second; 0 if they do not keep
// coming.
function ownRate(plan: string): number {
  const found = /^(?:rate|poisson):([0-9.e+]+)(?:\/([smh]))?$/.exec(plan);
  if (found === null) {
    return 0;
  }
  const seconds = { s: 1, m: 60, h: 3600 }[found[2] ?? "s"] ?? 1;
  return Number(found[1]) / seconds;
}

// thinned is a few of the values, with both ends and the one at a place.
function thinned(values: number[], place: number): number[] {
  if (values.length <= mostPoints) {
    return values;
  }
  const kept = new Set([place]);
  for (let i = 0; i < mostPoints - 1; i++) {
    kept.add(Math.round((i * (values.length - 1)) / (mostPoints - 2)));
  }
  return values.filter((_, i) => kept.has(i));
}

// coarseToFine orders n places: both ends, then the middles of what is between.
function coarseToFine(n: number): number[] {
  const order = n > 1 ? [0, n - 1] : [0];
  const gaps: [number, number][] = [[0, n - 1]];
  for (let gap = gaps.shift(); gap !== undefined; gap = gaps.shift()) {
    const [from, to] = gap;
    if (to - from >= 2) {
      const middle = Math.floor((from + to) / 2);
      order.push(middle);
      gaps.push([from, middle], [middle, to]);
    }
  }
  return order;
}

function quoted(word: string): string {
  return /^[\w./:,=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
