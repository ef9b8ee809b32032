package main

// commands are the subcommands in the order in which help lists them.
func commands() []command {
	return []command{
		{"config", "print the effective configuration", cmdConfig},
	}
}
