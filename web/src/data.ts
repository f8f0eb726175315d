// What the page holds for its script: the JSON of package page's Data.

export interface Data {
  models: string[];
  simulated: boolean;
  life_cycle?: LifeCycle;
  latency?: Latency[];
  what_if?: WhatIf;
}

export interface LifeCycle {
  phases: { name: string; color: string; hatch: string }[];
  panels: LifeModel[];
}

export interface LifeModel {
  model: number;
  window: number;
  begin: number;
  end: number;
  lanes: LifeLane[];
}

export interface LifeLane {
  label: string;
  parent: boolean;
  lives: [number, number][];
  blocks: LifeBlock[];
  known?: number;
}

export interface LifeBlock {
  phase: number;
  from: number;
  to: number;
  job?: LifeJob;
}

export interface LifeJob {
  id: number;
  seq: number;
  due: number;
  dequeued: number;
  started: number;
  finished: number;
  settled: number;
  cpu: number;
  status: string;
  detail?: string;
}

export interface Latency {
  model: number;
  points: [number, number][]; // ms, share
}

export interface WhatIf {
  base: Base;
  models: number[];
  job_ms: number;
  profile: string;
  file: string;
  notes?: string[];
  measured?: { model: number; values: Partial<Record<Metric, number>> }[];
}

// Of package query's Base, what the page itself reads. The simulator reads all of it.
export interface Base {
  models: AskedModel[];
  workers: number;
  cores: number;
  jobs: number;
  seed: string;
  arrivals: string;
  timeout_ns: number;
}

export interface AskedModel {
  name: string;
  prefork?: { MaxJobsPerChild: number };
  forkperjob?: object;
  hybrid?: { JobsPerChild: number };
}

// The parameters of package sweep that can be turned here.
export type Parameter = "workers" | "cores" | "jobs-per-child" | "max-jobs-per-child" | "job-time" | "rate";

// Package query's Changes.
export interface Changes {
  set: Partial<Record<Parameter, number>>;
  burst: boolean;
  model: string;
  jobs: number;
  replications: number;
}

export type Metric = "jobs_done_per_s" | "cpu_ms_per_job_done" | "p50_ms" | "p95_ms" | "p99_ms" | "peak_pss_mb";

export interface Estimate {
  value: number;
  low: number | null;
  high: number | null;
  n: number;
}

export type Prediction = Record<Metric, Estimate | null> & {
  converged: boolean;
  reasons?: string[];
  unstable?: boolean;
};

export interface Answer {
  error?: string;
  prediction?: Prediction;
  caveats?: string[];
}

// textOf is the content of an element of the page, by its id.
export function textOf(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}
