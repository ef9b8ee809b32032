package main

// commands are the subcommands in the order in which help lists them.
func commands() []command {
	return []command{
		{"serve", "receive mail and POST it to webhooks", cmdServe},
		{"demo", "show the gateway at work: the command to start with", cmdDemo},
		{"send", "send mails to an SMTP server", cmdSend},
		{"listen", "be a webhook that prints what it is sent", cmdListen},
		{"queue", "look into the retry queue and change it", cmdQueue},
		{"trace", "tell what became of a message", cmdTrace},
		{"forget", "erase a person from the history", cmdForget},
		{"check", "try endpoints, directory, certificate, store and DNS", cmdCheck},
		{"explain", "say what a webhook's answer means for the mail", cmdExplain},
		{"schema", "print the JSON Schema of the payload", cmdSchema},
		{"config", "print the effective configuration", cmdConfig},
		{"healthcheck", "ask a running gateway whether it is ready", cmdHealthcheck},
		{"version", "print the version", cmdVersion},
	}
}
