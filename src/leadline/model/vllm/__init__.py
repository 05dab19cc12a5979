"""How vLLM servers are started: command, systemd unit, Kubernetes manifest, and the window they may have."""
