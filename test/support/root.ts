/** The project's folder; the test runner names it. */
export const root = process.env.PATHFINDER_EDGE_ROOT ?? process.cwd();
