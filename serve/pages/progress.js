// Keeps the page of a run up to date, by the stream of its events.
"use strict";
{
  const section = document.getElementById("progress");
  const figure = (x) => (x >= 100 ? x.toFixed(0) : x ? x.toPrecision(3) : "–");
  const show = (p) => {
    document.getElementById("sofar").textContent = p.so_far ? "So far: " + p.so_far : "";
    document.getElementById("doing").textContent = p.state === "queued" ? "It waits for its turn." : p.doing || "";
    document.getElementById("behind").textContent = p.behind_bytes
      ? "Not all records are read yet, so as not to disturb what is measured: the numbers below lag behind."
      : "";
    const rows = p.models.map((m) => {
      const row = document.createElement("tr");
      const last = m.recent[m.recent.length - 1];
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = m.model;
      row.append(head);
      for (const text of [m.rounds, m.jobs, m.undone, last ? figure(last.jobs_per_s) : "–", last ? figure(last.cpu_ms_per_job) : "–"]) {
        const cell = document.createElement("td");
        cell.textContent = text;
        row.append(cell);
      }
      return row;
    });
    document.getElementById("models").replaceChildren(...rows);
  };
  if (section) {
    const source = new EventSource("/api/v1/runs/" + encodeURIComponent(section.dataset.run) + "/events");
    source.addEventListener("progress", (e) => show(JSON.parse(e.data)));
    source.addEventListener("end", () => {
      source.close();
      location.reload();
    });
  }
}
