"""What Prometheus is told: a survey as metric families (https://prometheus.io/docs/practices/naming/)."""
