package PVE::Storage::Custom::MultipathPlugin;

# For a stock pve-storage, which loads third-party plugins from this folder. Nothing in here may
# die: without its storages, a node cannot run guests.

use v5.36;

use base qw(PVE::Storage::MultipathPlugin);

# The newest version of the storage API that this was tested with, and the oldest that has what it
# uses.
my $NEWEST = 15;
my $OLDEST = 9;

sub api {
    my $present = eval { PVE::Storage::APIVER() } // $NEWEST;
    return $present >= $OLDEST && $present <= $NEWEST ? $present : $NEWEST;
}

# Not needed if pve-storage has the plugin built in.
sub register($class) {
    return if eval { PVE::Storage::Plugin->lookup($class->type()); 1 };
    return $class->SUPER::register();
}

1;
