package PVE::Multipath::CLI::AcceptPaths;

# pvemultipath accept-paths: the present number of a LUN's paths is the one that it should have.

use v5.36;

use PVE::Multipath;
use PVE::Multipath::CLI::Output qw(text characters print_lines print_data plural);

sub run($source, $opts, $wwid) {
    my @recorded = defined($source) ? ($source->node($opts->{node}), $source->config()) : ();
    my $paths = PVE::Multipath::accept_paths($wwid, @recorded)
        // die "there is no map of '" . text(characters($wwid)) . "' on this node\n";

    $wwid = characters($wwid);
    if ($opts->{'output-format'} eq 'text') {
        print_lines(text($wwid) . ': ' . plural($paths, 'path') . ' accepted');
    } else {
        print_data({ wwid => $wwid, 'paths-expected' => $paths }, $opts->{'output-format'});
    }
    return 0;
}

1;
