package PVE::Multipath::CLI::AcceptPaths;

# pvemultipath accept-paths: makes the present number of a LUN's paths the expected one.

use v5.36;

use PVE::Multipath;
use PVE::Multipath::CLI::Lun qw(configured_wwid);
use PVE::Multipath::CLI::Output qw(plural print_result);
use PVE::Multipath::Source;
use PVE::Multipath::Text qw(characters safe);

# Returns the number of paths. A warning that is also the error is not printed twice.
my sub accept_paths($wwid, @recorded) {
    my @warnings;
    my $paths = eval {
        local $SIG{__WARN__} = sub($text) { push @warnings, $text };
        PVE::Multipath::accept_paths($wwid, @recorded);
    };
    my $err = $@;
    warn $_ for grep { $_ ne $err } @warnings;
    die $err if $err;
    return $paths;
}

sub run($source, $opts, $name) {
    my @recorded = defined($source) ? ($source->node($opts->{node}), $source->config()) : ();
    # without a configuration there are no aliases
    my $cfg = $recorded[1] // eval { PVE::Multipath::Source->files()->quiet_config() };
    my $wwid = defined($cfg) ? configured_wwid($cfg, $name) // $name : $name;
    my $paths = accept_paths($wwid, @recorded)
        // die "there is no map of '" . safe(characters($name)) . "' on this node\n";

    $wwid = characters($wwid);
    print_result($opts, { wwid => $wwid, 'paths-expected' => $paths }, sub() {
        return safe($wwid) . ': ' . plural($paths, 'path') . ' accepted';
    });
    return 0;
}

1;
