// What is said of a run in words: over the picture, in its place, and to who cannot see it.
const QUARTERS = ["", "A quarter is done.", "Half of it is done.", "Three quarters are done."];
const PLACEHOLDERS = {
  empty: "The picture appears here, step by step.",
  waiting: "The models are waking up. The picture appears here in a moment.",
  running: "The first step is on its way.",
  stopped: "Stopped before the first step.",
};

const stepName = (index, total) => `Step ${index} of ${total}`;
const isPending = (value) => value.state === "waiting" || (value.state === "running" && !value.frames.length);
const lastIndex = (value) => value.frames.at(-1)?.index ?? value.frames.length - 1;

const headlineOf = (value) => {
  if (isPending(value)) return "Starting";
  if (value.state === "stopped") return "Stopped";
  if (value.state === "finished" || lastIndex(value) === value.total) return "Finished";
  return value.frames.length ? stepName(lastIndex(value), value.total) : "";
};

const timeLeftOf = (value) => {
  if (value.state !== "running" || !value.frames.length || lastIndex(value) === value.total) return "";
  return timeSaid(value.seconds_left);
};

const statusOf = (value) => {
  if (value.status) return value.status;
  if (isPending(value)) return PLACEHOLDERS[value.state];
  if (value.state !== "finished" || !Number.isFinite(value.seconds)) return "";
  return `${value.total} steps in ${value.seconds.toFixed(1)} seconds`;
};

// The start, each quarter and the end; not every step.
const announcementOf = (value) => {
  const done = lastIndex(value);
  if (value.state === "finished") return "The picture is finished.";
  if (value.state === "stopped") return done < 0 ? PLACEHOLDERS.stopped : `Stopped at step ${done} of ${value.total}.`;
  if (value.state !== "running" || done < 0) return "";
  const quarter = Math.min(3, Math.floor((4 * done) / value.total)); // the end is said when all is there
  return QUARTERS[quarter] || `The picture is being made, in ${value.total} steps.`;
};
