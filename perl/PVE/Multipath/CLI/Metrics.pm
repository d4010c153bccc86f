package PVE::Multipath::CLI::Metrics;

# pvemultipath metrics: the state of the cluster and of this node for Prometheus and others.

use v5.36;

use PVE::Multipath;

sub run($source, $opts) {
    die "the output is OpenMetrics text, there is no other format\n"
        if $opts->{'output-format'} ne 'text';

    $source->refresh();
    print STDOUT PVE::Multipath::openmetrics($source);
    return 0;
}

1;
