"""Heads: closed-form classifiers on frozen features, with every group left out exactly."""
