package PVE::Multipath::Source;

=head1 NAME

PVE::Multipath::Source - where the data of the cluster comes from

=head1 DESCRIPTION

    my $source = PVE::Multipath::Source->live();
    my $source = PVE::Multipath::Source->replay($dir);

C<live> is the node's pmxcfs with its key-value store and the storage configuration, C<files> only
the files of pmxcfs, which need no module of Proxmox VE, and C<replay> a folder with recordings of
them (its layout is in F<fixtures/replay/README.md>). This is the base class of
L<PVE::Multipath::Source::Live> and L<PVE::Multipath::Source::Recorded>, which have what differs.

=over

=item refresh()

makes the following calls see the present state of the cluster

=item is_recorded()

=item now(), nodename()

=item kv($key)

the texts that the nodes have broadcast, C<< { node => bytes } >>

=item reports($key)

the same and, by key and node, the further values of reports that are too long for one

=item peers(@kinds)

what the nodes have reported of these kinds (C<health>, C<uses>, C<candidates>), and who is online, as the
library takes it

=item members()

C<< { node => { online, ip, id } } >>, undef on a node without a cluster

=item nodelist()

=item guests()

the configurations of the guests, C<< { ID => { PROPERTY => VALUE } } >>; a recording has none

=item storage_ids()

the sections of F<storage.cfg>

=item config()

the cluster's F<multipath.cfg>, parsed; an empty one if the file does not exist. Warns of what was
not understood in it.

=item quiet_config()

the same without the warnings

=item config_text(), overrides_text(), storage_text()

the bytes of F<multipath.cfg>, F<multipath-overrides.conf> and F<storage.cfg>, empty if the file
does not exist

=item change_config($code)

reads F<multipath.cfg>, calls the code with it, which returns the changed one or dies, and writes
that, all under a lock. Returns the new configuration, and whether it was written: one that says the
same as before leaves the file alone.

=item problems($cfg)

the problems of a configuration, for the installed version of multipath-tools where that is known

=item tools_version()

the version of multipath-tools that is installed on this node; undef if that is not known, or in a
folder with recordings

=item node($name)

a L<PVE::Multipath::Node>, by default the local one

=item node_to_plan($name)

the same; in a folder without any node, one without any file

=back

Two functions, not methods, are about the mounted pmxcfs: C<assert_mounted()> dies if it is absent,
and C<pmxcfs_start()> returns when it was started, in seconds since the epoch, undef if it does not
run.

C<certainty($file, $text)>, with the C<$file> C<config> or C<overrides>, says whether the text that
was read is a whole file or may be what an editor has saved so far: C<settled>, C<unsettled>, or
C<torn> if its last line may be incomplete. It depends on what this process has read before, and
when.

=cut

use v5.36;

use PVE::Multipath::Clock qw(monotonic);
use PVE::Multipath::Config;
use PVE::Multipath::File;
use PVE::Multipath::State;
use PVE::Multipath::Text qw(bytes);

use PVE::RS::Multipath::Broadcast;
use PVE::RS::Multipath::Plan;

# The keys under which nodes report, by what they report.
our $KEYS = {
    health => 'multipath',
    uses => 'multipath-uses',
    candidates => 'multipath-candidates',
};

our $PMXCFS = '/etc/pve';

our $CONFIG = 'multipath.cfg';
our $OVERRIDES = 'multipath-overrides.conf';

sub live($class) {
    my $source = $class->files();
    PVE::Multipath::Source::Live::load_pve('PVE::Cluster');
    return $source;
}

sub files($class) {
    require PVE::Multipath::Source::Live;
    return PVE::Multipath::Source::Live->new();
}

sub replay($class, $dir) {
    require PVE::Multipath::Source::Recorded;
    return PVE::Multipath::Source::Recorded->new($dir);
}

sub assert_mounted() {
    die "'$PMXCFS' is not mounted - is pve-cluster running?\n" if !-e "$PMXCFS/.version";
    return;
}

sub pmxcfs_start() {
    my $version = eval { PVE::Multipath::File::read("$PMXCFS/.version") };
    return ($version // '') =~ m/"starttime"\s*:\s*(\d+)/ ? $1 : undef;
}

sub certainty($file, $text) {
    my $readings = PVE::Multipath::State::current()->{readings};
    my $read = PVE::RS::Multipath::Plan::reading($text, $readings->{$file}, monotonic());
    ($readings->{$file}, my $certainty) = $read->@{qw(reading certainty)};
    return $certainty;
}

sub reports($self, $key) {
    my $texts = sub($key) {
        my $kv = $self->kv($key);
        return { map { $_ => bytes($kv->{$_}) } keys %$kv };
    };
    my $kv = $texts->($key);
    my $keys = PVE::RS::Multipath::Broadcast::continuation_keys($key, $kv);
    return ($kv, { map { $_ => $texts->($_) } @$keys });
}

sub peers($self, @kinds) {
    my %texts;
    for my $kind (@kinds) {
        my ($kv, $continued) = $self->reports($KEYS->{$kind});
        $texts{$kind} = { kv => $kv, continued => $continued };
    }
    return { %texts, members => $self->members(), now => $self->now() };
}

sub config_text($self) {
    return $self->cluster_file($CONFIG);
}

sub overrides_text($self) {
    return $self->cluster_file($OVERRIDES);
}

sub storage_text($self) {
    return $self->cluster_file('storage.cfg');
}

sub config($self) {
    return PVE::Multipath::Config->parse_config($CONFIG, $self->config_text());
}

sub quiet_config($self) {
    return PVE::Multipath::Config::parse_quietly($CONFIG, $self->config_text());
}

sub problems($self, $cfg) {
    return eval { PVE::Multipath::Config::problems($cfg, $self->tools_version()) } // do {
        warn "the installed multipath-tools: $@";
        PVE::Multipath::Config::problems($cfg);
    };
}

# The texts decide whether there is anything to write: a change may set what is set already.
sub change_config($self, $code) {
    my $res = $self->lock_config(sub() {
        my $cfg = $self->config();
        my $text = PVE::Multipath::Config->write_config($CONFIG, my $changed = $code->($cfg));
        return [$cfg, 0] if $text eq PVE::Multipath::Config->write_config($CONFIG, $cfg);

        $self->write_config($changed, $text);

        # the warnings were printed when it was read
        return [PVE::Multipath::Config::parse_quietly($CONFIG, $text), 1];
    });
    return @$res;
}

1;
