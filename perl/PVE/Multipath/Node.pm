package PVE::Multipath::Node;

=head1 NAME

PVE::Multipath::Node - where the data of one node comes from: its multipathd and its sysfs

=head1 DESCRIPTION

    my $node = PVE::Multipath::Node->live();
    my $node = PVE::Multipath::Node->replay($dir, 'pve1');

C<live> asks the node's own multipathd and reads its F</sys>, C<replay> reads what a folder has
recorded (its layout is in F<fixtures/replay/README.md>). Everything above works with either,
nothing here looks into what it read.

=cut

use v5.36;

use Errno qw(ENODEV ENOENT ENXIO);

use PVE::Multipath::Command;
use PVE::Multipath::File;

our $MULTIPATH = '/sbin/multipath';
our $MULTIPATHD = '/sbin/multipathd';
our $SYSFS = '/sys';
our $WWIDS_FILE = '/etc/multipath/wwids';

# multipathd itself gives up after 4 seconds
our $QUERY_TIMEOUT = 5;

sub live($class) {
    return bless { sysfs => $SYSFS, 'wwids-file' => $WWIDS_FILE }, $class;
}

sub replay($class, $dir, $name) {
    die "'" . ($name =~ s/[^ -~]/?/gr) . "' is no node name\n"
        if $name !~ m/\A[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?\z/;

    my $base = "$dir/nodes/$name";
    die "there is no recording of node '$name' in '$dir' ('$base' is missing)\n" if !-d $base;

    return bless {
        replay => $base,
        name => $name,
        sysfs => "$base/sys",
        'wwids-file' => "$base/etc/multipath/wwids",
    }, $class;
}

sub is_replay($self) {
    return defined($self->{replay}) ? 1 : 0;
}

my sub recorded($self, $command) {
    my $path = "$self->{replay}/multipathd/" . join('-', @$command);
    my $read = sub($ext) {
        return PVE::Multipath::File::read("$path.$ext")
            // die "no recording of 'multipathd @$command' of node '$self->{name}':"
            . " '$path.$ext' is missing\n";
    };

    my $rc = $read->('rc');
    die "'$path.rc' is neither an exit code nor 'signal' nor 'timeout'\n"
        if $rc !~ m/\A(?:(\d{1,3})|signal|(timeout))\s*\z/;

    return {
        'exit-code' => defined($1) ? int($1) : undef,
        'timed-out' => defined($2) ? 1 : 0,
        stdout => $read->('out'),
        # recordings leave out an empty one
        stderr => PVE::Multipath::File::read("$path.err") // '',
    };
}

# The reply of multipathd to a command that only shows something, as the core takes it.
sub query($self, $command, $timeout = $QUERY_TIMEOUT) {
    return recorded($self, $command) if $self->is_replay();
    return PVE::Multipath::Command::run([$MULTIPATHD, @$command], timeout => $timeout);
}

# A device may vanish at any time, then it is left out. Anything else does not happen in a real
# sysfs; there it must not hide the maps, while a broken recording must be noticed.
my sub trouble($self, $text) {
    die $text if $self->is_replay();
    warn $text;
    return;
}

my sub is_gone() {
    return $! == ENOENT || $! == ENODEV || $! == ENXIO;
}

# The content of sysfs about these block devices ({ paths => [...], maps => [...] }).
sub block($self, $devices) {
    my $base = "$self->{sysfs}/block";
    my $block = { links => {}, sizes => {}, holders => {} };

    # names come from a reply and are put into a path
    my $names = sub($list) { grep { !m!/|\0|\A\.! && length } ($list // [])->@* };

    for my $dev ($names->($devices->{paths})) {
        my $link = readlink("$base/$dev");
        if (defined($link)) {
            $block->{links}->{$dev} = $link;
        } elsif (!is_gone()) {
            trouble($self, "cannot read link '$base/$dev' - $!\n");
        }
    }

    for my $dev ($names->($devices->{maps})) {
        my $size = eval { PVE::Multipath::File::read("$base/$dev/size") };
        if ($@) {
            trouble($self, $@) if !is_gone();
        } elsif (defined($size)) {
            $block->{sizes}->{$dev} = $size;
        }

        my $holders = eval { PVE::Multipath::File::names("$base/$dev/holders") };
        if ($@) {
            trouble($self, $@) if !is_gone();
        } else {
            $block->{holders}->{$dev} = $holders if defined($holders);
        }
    }

    return $block;
}

# Text of the node's allow-list, undef if there is none.
sub wwids_text($self) {
    return PVE::Multipath::File::read($self->{'wwids-file'});
}

1;
