package StandIn;

# Loads the library under test, named by PERLMOD_TEST_LIBRARY, and boots its packages.
#
# PERLMOD_UNDER_TEST=real says that the library was built with Proxmox's perlmod; the
# tests of what only the stand-in does are then skipped.

use v5.36;

use DynaLoader;
use Test::More;

my @packages = qw(StandIn::Base StandIn::Call StandIn::In StandIn::Object StandIn::Other StandIn::Out);
my %boot;

sub real { return ($ENV{PERLMOD_UNDER_TEST} // '') eq 'real' }

sub boot($package) {
    my $name = 'boot_' . ($package =~ s/::/__/gr);
    return ($boot{$package} // die "$package was not loaded\n")->();
}

# The error that a call dies with; undef if it does not.
sub error_of($code) {
    local $@;
    return undef if eval { $code->(); 1 };
    return $@;
}

# Resident memory in bytes.
sub memory {
    open(my $fh, '<', '/proc/self/statm') or die "cannot read /proc/self/statm: $!\n";
    my (undef, $pages) = split ' ', readline($fh);
    return $pages * 4096;
}

# How much memory grows while code is run many times, once it has warmed up.
# PERLMOD_TEST_CALLS sets how many times; the growth is then not told, because this is meant
# for tools like valgrind, which have their own ways with memory.
sub growth($times, $code) {
    if (my $calls = $ENV{PERLMOD_TEST_CALLS}) {
        $code->() for 1 .. $calls;
        return 0;
    }
    $code->() for 1 .. $times / 10;
    my $before = memory();
    $code->() for 1 .. $times;
    return memory() - $before;
}

sub import($class, $which = 'both') {
    if ($which eq 'stand-in' && real()) {
        plan(skip_all => 'not with the real perlmod');
    }
    if (!%boot) {
        # matched, because the environment is tainted in taint mode
        my ($file) = ($ENV{PERLMOD_TEST_LIBRARY} // '') =~ m/\A(.+)\z/s
            or die "PERLMOD_TEST_LIBRARY must name the library under test\n";
        my $library = DynaLoader::dl_load_file($file) or die DynaLoader::dl_error();
        for my $package (@packages) {
            my $name = 'boot_' . ($package =~ s/::/__/gr);
            my $symbol = DynaLoader::dl_find_symbol($library, $name)
                or die "$file has no $name\n";
            $boot{$package} = DynaLoader::dl_install_xsub($name, $symbol, $file);
            $boot{$package}->();
        }
    }
    no strict 'refs';
    *{ caller() . "::$_" } = \&{$_} for qw(error_of growth);
}

1;
