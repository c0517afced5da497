"""Metrics for Prometheus: a survey as metric families (https://prometheus.io/docs/practices/naming/)."""
