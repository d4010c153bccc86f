package SectionConfig;

# What `make bench` compares with beside PlainConfig where it finds it, as on Proxmox VE:
# PVE::SectionConfig itself, with the same schema.

use v5.36;

use PlainConfig;

my $PROPERTIES = PlainConfig::schema()->{properties};
my $TYPES = PlainConfig::schema()->{types};

# For each type of section a class, which has its name.
@SectionConfig::defaults::ISA = @SectionConfig::wwid::ISA = ('SectionConfig');

sub type($class) {
    return $class =~ s/^.*:://r;
}

sub options($class) {
    return { map { $_ => { optional => 1 } } $TYPES->{ $class->type() }->@* };
}

my $private = {
    propertyList => {
        type => { type => 'string', description => 'type' },
        id => { type => 'string', description => 'ID' },
        map { $_ => { $PROPERTIES->{$_}->%*, description => $_, optional => 1 } }
            keys %$PROPERTIES,
    },
};

sub private($class) {
    return $private;
}

# Whether it is there; it can be used from then on. One that does not load is an error.
sub load($class) {
    if (!eval { require PVE::SectionConfig }) {
        die $@ if $@ !~ m!^Can't locate PVE/SectionConfig\.pm !;
        return 0;
    }
    our @ISA = ('PVE::SectionConfig');
    "SectionConfig::$_"->register() for sort keys %$TYPES;
    $class->init();
    return 1;
}

1;
