/** The bundle's entry: runs the command that the launcher names. */
