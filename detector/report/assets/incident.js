// Brings an incident's page to life: charts that can be zoomed, and a table of queries that can be searched.
//
// The block #live holds numbers alone. What somebody wrote into a log is only ever read from the table's own text and
// compared; nothing here makes markup. Without this script the page says the same, with drawn charts and the full table.
"use strict";
(() => {
  const live = JSON.parse(document.getElementById("live").textContent);
  const HELD = 1e-6;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const counted = (number) => number.toLocaleString("en-US");
  const odds = (value) => {
    const held = Math.min(Math.max(value, HELD), 1 - HELD);
    return Math.log(held / (1 - held));
  };

  // Times: UTC, as everywhere on the page.
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (number) => String(number).padStart(2, "0");
  const clock = (ms, fine) => {
    const at = new Date(ms);
    const time = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
    const seconds = fine < 60000 ? `:${two(at.getUTCSeconds())}` : "";
    return time + seconds + (fine < 1000 ? `.${String(at.getUTCMilliseconds()).padStart(3, "0")}` : "");
  };
  const day = (ms) => `${new Date(ms).getUTCDate()} ${MONTHS[new Date(ms).getUTCMonth()]}`;
  const moment = (ms, fine) => `${day(ms)} ${clock(ms, fine)}`;
  const length = (ms) => {
    if (ms < 60000) return ms === 1000 ? "second" : `${ms / 1000} seconds`;
    return ms === 60000 ? "minute" : `${ms / 60000} minutes`;
  };

  // ---- The table of queries -----------------------------------------------------------------------------------------

  const table = (() => {
    const tools = document.querySelector(".tools");
    if (!tools) return { span() {}, phase() {} };
    const rows = [...document.querySelectorAll(".queries tbody tr")];
    const search = tools.querySelector("input");
    const selects = [...tools.querySelectorAll("select")];
    const count = tools.querySelector("[data-count]");
    const texts = new Map();
    let span = null;
    let cleared = () => {};

    const textOf = (place) => {
      if (!texts.has(place)) texts.set(place, rows[place].textContent.toLowerCase());
      return texts.get(place);
    };
    // A query belongs to one phase, answer and client, and to any number of findings: a bit each.
    const belongs = (key, place, number) =>
      key === "rule" ? (live.rows.rule[place] >> number) & 1 : live.rows[key][place] === number;
    const chosen = (place) =>
      selects.every((one) => one.value === "" || belongs(one.dataset.filter, place, Number(one.value)));

    function apply() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, place) => {
        const kept =
          chosen(place) && (!span || span.holds(place)) && words.every((word) => textOf(place).includes(word));
        if (row.hidden === kept) row.hidden = !kept;
        shown += kept;
      });
      // On paper a long table is cut short, unless somebody has chosen what to see.
      rows[0].closest("section").classList.toggle("narrowed", shown < rows.length);
      const where = span ? `, ${span.told}` : "";
      const said = `${counted(shown)} of ${counted(rows.length)} queries${where}`;
      // Only what changed is read aloud.
      if (count.textContent !== said) count.textContent = said;
    }
    function clear() {
      search.value = "";
      selects.forEach((one) => { one.value = ""; });
      cleared();
      span = null;
      apply();
    }

    let waiting = 0;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(apply, 120);
    });
    selects.forEach((one) => one.addEventListener("change", apply));
    tools.querySelector("[data-do=clear]").addEventListener("click", clear);
    tools.hidden = false;
    apply();
    // The rows are laid out when there is nothing else to do.
    const later = window.requestIdleCallback || ((action) => setTimeout(action, 200));
    addEventListener("load", () => later(() => tools.nextElementSibling.classList.add("ready")));
    return {
      span(given) { span = given; apply(); },
      // Whoever follows a phase's link wants its queries, whatever was chosen before.
      phase(place) {
        clear();
        const select = selects.find((one) => one.dataset.filter === "phase");
        if (select) select.value = String(place);
        apply();
      },
      reveal(row) { if (row.hidden) clear(); },
      onClear(action) { cleared = action; },
    };
  })();

  // ---- Charts -------------------------------------------------------------------------------------------------------

  const charts = [];

  // A view says what a chart shows: `full`, its whole range; `home`, where the evidence lies; `least`, how close one can
  // look; `data(min, max)`, its columns; `reading(place)`, a sentence about one of them; `span(min, max)`, which rows of
  // the table lie within; `options`, what uPlot wants besides.
  function chart(figure, view) {
    const stage = figure.querySelector(".stage");
    const plot = stage.querySelector(".plot");
    const reading = stage.querySelector(".reading");
    const told = stage.querySelector("[data-told]");
    let shown = view.full;

    const whole = () => shown[0] <= view.full[0] && shown[1] >= view.full[1];
    function look(min, max) {
      const width = Math.min(Math.max(max - min, view.least), view.full[1] - view.full[0]);
      const begin = Math.min(Math.max((min + max - width) / 2, view.full[0]), view.full[1] - width);
      shown = [begin, begin + width];
      drawn.batch(() => {
        drawn.setData(view.data(...shown), false);
        drawn.setScale("x", { min: shown[0], max: shown[1] });
        drawn.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      });
    }
    function choose(min, max) {
      charts.forEach((other) => { if (other.figure !== figure) other.reset(); });
      look(min, max);
      told.textContent = whole() ? "All of it is shown." : view.told(...shown);
      table.span(whole() ? null : view.span(...shown));
    }

    figure.classList.add("upgraded");
    stage.hidden = false;
    const drawn = new uPlot(
      {
        width: plot.clientWidth,
        height: view.height,
        ms: 1,
        tzDate: (ms) => uPlot.tzDate(new Date(ms), "UTC"),
        legend: { show: false },
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false, setScale: false },
          bind: { dblclick: () => () => choose(...view.full) },
        },
        hooks: {
          setSelect: [(u) => {
            if (u.select.width < 4) return;
            const ends = [u.select.left, u.select.left + u.select.width].map((left) => u.posToVal(left, "x"));
            choose(...ends);
          }],
          setCursor: [(u) => {
            reading.textContent = u.cursor.idx == null || u.cursor.left < 0 ? "" : view.reading(u.cursor.idx);
          }],
          drawClear: view.behind ? [view.behind] : [],
        },
        ...view.options,
      },
      view.data(...view.full),
      plot,
    );
    look(...view.full);
    new ResizeObserver(() => {
      if (plot.clientWidth && plot.clientWidth !== drawn.width) {
        drawn.setSize({ width: plot.clientWidth, height: view.height });
      }
    }).observe(plot);

    const middle = () => (shown[0] + shown[1]) / 2;
    const half = () => (shown[1] - shown[0]) / 2;
    const moves = {
      in: () => choose(middle() - half() / 2, middle() + half() / 2),
      out: () => choose(middle() - half() * 2, middle() + half() * 2),
      back: () => choose(shown[0] - half(), shown[1] - half()),
      on: () => choose(shown[0] + half(), shown[1] + half()),
      home: () => choose(...(view.home || view.full)),
      all: () => choose(...view.full),
    };
    stage.querySelectorAll("button").forEach((one) => one.addEventListener("click", moves[one.dataset.do]));
    charts.push({ figure, drawn, reset: () => { look(...view.full); told.textContent = ""; } });
  }

  const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif';
  const axis = (given) => ({
    stroke: () => colour("--quiet"),
    grid: { stroke: () => colour("--rule"), width: 1 },
    ticks: { show: false },
    font,
    ...given,
  });

  function timeline(given) {
    const bins = (one, begin, width) => one.map((_, place) => begin + place * width);
    const end = given.begin + given.width * given.all.length;
    const coarse = { begin: given.begin, width: given.width, all: given.all, telling: given.telling };
    const fine = given.fine && { ...given.fine, all: null };
    const fineEnd = fine && fine.begin + fine.width * fine.telling.length;
    let own = coarse;
    // A bin with any query is at least a line high.
    const visible = (counts, most) => counts.map((count) => (count ? Math.max(count, most / 40) : null));
    const columns = (one) => {
      const most = Math.max(1, ...(one.all || one.telling));
      const all = one.all ? visible(one.all, most) : one.telling.map(() => null);
      return [bins(one.telling, one.begin, one.width), all, visible(one.telling, most)];
    };
    const drawings = new Map([coarse, fine].filter(Boolean).map((one) => [one, columns(one)]));
    const bars = (name) => ({ paths: uPlot.paths.bars({ size: [0.86], align: 1 }), fill: () => colour(name), width: 0, points: { show: false } });
    return {
      height: 190,
      full: [given.begin, end],
      home: fine && [fine.begin, fineEnd],
      least: fine ? 10 * fine.width : given.width,
      data(min, max) {
        // Fine bins show the evidence alone, so they come in where one looks at that.
        own = fine && max - min <= 1200 * fine.width && max > fine.begin && min < fineEnd ? fine : coarse;
        return drawings.get(own);
      },
      reading(place) {
        const at = moment(own.begin + place * own.width, own.width);
        const evidence = `${counted(own.telling[place])} of evidence`;
        const rest = own.all ? `${counted(own.all[place])} queries, ` : "";
        return `${at} UTC, ${length(own.width)}: ${rest}${evidence}`;
      },
      told(min, max) {
        const what = own === fine ? "the evidence alone, in bars" : "in bars";
        return `${moment(min, 1000)} to ${moment(max, 1000)} UTC, ${what} of ${length(own.width)}. The table of queries shows this span.`;
      },
      span: (min, max) => ({
        holds: (row) => live.rows.begin + live.rows.at[row] >= min && live.rows.begin + live.rows.at[row] <= max,
        told: `${moment(min, 1000)} to ${moment(max, 1000)} UTC`,
      }),
      options: {
        scales: {
          x: { time: true, range: (u, min, max) => [min, max] },
          y: { range: (u, min, max) => [0, Math.max(1, max) * 1.05] },
        },
        axes: [
          axis({
            space: 80,
            size: 32,
            grid: { show: false },
            values: (u, splits, place, space, step) =>
              splits.map((ms) => (ms % 86400000 === 0 ? day(ms) : clock(ms, step))),
          }),
          axis({ size: 56, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6], values: (u, splits) => splits.map(counted) }),
        ],
        series: [{}, bars("--other"), bars("--attack")],
      },
    };
  }

  function climb(given, number) {
    let best = 0;
    const scale = (value) => (given.odds ? odds(value) : value);
    const values = given.value.map(scale);
    const records = given.value.map((value) => { best = Math.max(best, value); return best; });
    const columns = [given.at, values, records.map(scale)];
    const written = (value) => String(Number(value.toPrecision(6)));
    return {
      height: 250,
      full: [1, Math.max(2, given.count)],
      least: Math.min(10, Math.max(1, given.count - 1)),
      data: () => columns,
      reading: (place) =>
        `Query ${counted(given.at[place])}: ${written(given.value[place])}, best so far ${written(records[place])}`,
      told: (min, max) =>
        `Queries ${counted(Math.ceil(min))} to ${counted(Math.floor(max))}. The table of queries shows this span.`,
      span: (min, max) => ({
        holds: (row) => given.rows[row] > 0 && given.rows[row] >= min && given.rows[row] <= max,
        told: `numbers ${counted(Math.ceil(min))} to ${counted(Math.floor(max))} of climb ${number + 1}`,
      }),
      behind(u) {
        u.ctx.save();
        u.ctx.fillStyle = colour("--attack-soft");
        u.ctx.globalAlpha = 0.55;
        given.bands.forEach(([first, last]) => {
          const [from, to] = [first, last].map((place) => u.valToPos(Math.min(Math.max(place, u.scales.x.min), u.scales.x.max), "x", true));
          u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
        });
        u.ctx.restore();
      },
      options: {
        scales: {
          x: { time: false, range: (u, min, max) => [min, max] },
          y: { range: () => [given.low, given.high] },
        },
        axes: [
          axis({ space: 80, size: 32, grid: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5], values: (u, splits) => splits.map(counted) }),
          axis({
            size: 64,
            splits: () => given.ticks.map(([tick]) => scale(tick)),
            values: () => given.ticks.map(([, name]) => name),
          }),
        ],
        series: [
          {},
          { paths: () => null, points: { show: true, size: 4, width: 0, fill: () => colour("--attack") } },
          { paths: uPlot.paths.stepped({ align: 1 }), stroke: () => colour("--ink"), width: 1.75, points: { show: false } },
        ],
      },
    };
  }

  document.querySelectorAll("figure[data-chart]").forEach((figure) => {
    const which = figure.dataset.chart;
    const view = which === "timeline" ? live.timeline && timeline(live.timeline) : climb(live.climbs[Number(which)], Number(which));
    if (view) chart(figure, view);
  });
  if (table.onClear) table.onClear(() => charts.forEach((one) => one.reset()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((one) => one.drawn.redraw()));

  // ---- Links between phases and queries -----------------------------------------------------------------------------

  document.querySelectorAll("a[data-phase]").forEach((link) => {
    link.addEventListener("click", () => table.phase(Number(link.dataset.phase)));
  });
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.matches(".queries tr") && row.hidden) {
      table.reveal(row);
      row.scrollIntoView();
    }
  });
})();
