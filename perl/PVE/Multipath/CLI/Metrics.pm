package PVE::Multipath::CLI::Metrics;

# pvemultipath metrics: the state of this node or of the cluster, for Prometheus and others.

use v5.36;

use File::Spec ();

use PVE::Multipath;
use PVE::Multipath::File;
use PVE::Multipath::Text qw(characters safe);

our @FORMATS = qw(prometheus openmetrics);

sub run($source, $opts) {
    die "metrics are text, in the format of --format\n" if $opts->{'output-format'} ne 'text';
    my $format = $opts->{format} // $FORMATS[0];
    die "unknown format '" . safe(characters($format)) . "', known are: @FORMATS\n"
        if !grep { $_ eq $format } @FORMATS;

    $source->refresh();
    my $text = $opts->{cluster}
        ? PVE::Multipath::cluster_metrics($source, $format)
        : PVE::Multipath::node_metrics($source, $format);
    if (defined($opts->{output})) {
        PVE::Multipath::File::replace(File::Spec->rel2abs($opts->{output}), $text);
    } else {
        print STDOUT $text;
    }
    return 0;
}

1;
