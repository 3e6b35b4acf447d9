/** Prints what a rolling restart of two servers costs (rolling-restart.ts), as JSON; for `npm run bench -- recovery`. */

import { rollingRestart } from "../scenario/rolling-restart.js";

rollingRestart(Number(process.argv[2])).then(
  ({ recoveries, told }) => {
    console.log(JSON.stringify({ recoveries, told: told.length }));
    process.exit(0);
  },
  (error: Error) => {
    console.error(error.stack);
    process.exit(1);
  },
);
