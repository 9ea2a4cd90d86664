"""The key of the master's configuration by which hosts without a minion are targets. All else of them is loaded where it is set."""

SETTING = "deploy_ssh_hosts"
